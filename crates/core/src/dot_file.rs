//! Dot files that a program reads by itself.

/// Whether a program reads a file of this name from the home or web folder by itself, or from the folder it is started in.
pub(crate) fn acts_when_saved(name: &str) -> bool {
    const SHELLS: [&str; 7] = ["bash", "zsh", "ksh", "mksh", "csh", "tcsh", "sh"];
    const TOOLS: [&str; 37] = [
        ".curlrc",
        ".emacs",
        ".exrc",
        ".forward",
        ".gdbinit",
        ".gitconfig",
        ".gvimrc",
        ".hgrc",
        ".htaccess",
        ".htpasswd",
        ".inputrc",
        ".lldbinit",
        ".login",
        ".logout",
        ".my.cnf",
        ".mylogin.cnf",
        ".netrc",
        ".npmrc",
        ".nvimrc",
        ".pam_environment",
        ".pgpass",
        ".procmailrc",
        ".profile",
        ".psqlrc",
        ".pypirc",
        ".rhosts",
        ".screenrc",
        ".shosts",
        ".tmux.conf",
        ".user.ini",
        ".vimrc",
        ".wgetrc",
        ".xinitrc",
        ".xprofile",
        ".xsession",
        ".xsessionrc",
        ".yarnrc",
    ];
    let Some(stem) = name.strip_prefix('.') else { return false };
    // `.bashrc`, `.bash_profile`, `.zshenv`, `.zlogin`.
    let of_shell = |shell: &str| {
        let Some((start, rest)) = stem.split_at_checked(shell.len()) else { return false };
        start.eq_ignore_ascii_case(shell)
            && ["rc", "env", "_profile", "_login", "_logout", "_aliases"]
                .into_iter()
                .any(|file| rest.eq_ignore_ascii_case(file))
    };
    let of_zsh = ["zlogin", "zlogout", "zprofile"].into_iter().any(|file| stem.eq_ignore_ascii_case(file));
    of_zsh
        || SHELLS.into_iter().any(of_shell)
        || TOOLS.into_iter().any(|tool| name.eq_ignore_ascii_case(tool))
}
