//! What the doctor tells whoever examines: the mapping, and the targets outside of it that it will name.

use crate::Dialect;

/// Headers under which applications read who the visitor is, and the made-up value that an examination sends with each. The
/// proxy replaces them or takes them away, so none of these values may arrive.
pub const DOCTOR_VISITOR: [(&str, &str); 13] = [
    ("forwarded", "for=203.0.113.254"),
    ("front-end-https", "made-up"),
    ("true-client-ip", "203.0.113.254"),
    ("x-client-ip", "203.0.113.254"),
    ("x-forwarded-for", "203.0.113.254"),
    ("x-forwarded-host", "made-up.invalid"),
    ("x-forwarded-port", "made-up"),
    ("x-forwarded-prefix", "/made-up"),
    ("x-forwarded-proto", "made-up"),
    ("x-forwarded-scheme", "made-up"),
    ("x-forwarded-server", "made-up.invalid"),
    ("x-forwarded-ssl", "made-up"),
    ("x-real-ip", "203.0.113.254"),
];

/// Targets that no proxy may follow, for a root: public files of the system, by climbing and directly, and the canary by a
/// way that only opens if nginx's location or alias lacks its slash.
#[must_use]
pub fn outside_targets(dialect: Dialect, location: &str, folder: &str) -> Vec<String> {
    let up = "/..".repeat(12);
    let up_escaped = "/%2e%2e".repeat(12);
    match dialect {
        Dialect::Nginx | Dialect::Caddy => {
            let name = folder.rsplit('/').next().unwrap_or_default();
            let name = crate::escape::escaped(name);
            vec![
                format!("{location}{up}/usr/lib/os-release"),
                format!("{location}{up}/etc/hosts"),
                format!("{location}{up_escaped}/usr/lib/os-release"),
                format!("{location}../{name}/{}", super::Canary::Plain.path()),
            ]
        }
        Dialect::Apache | Dialect::Lighttpd => vec![
            "/usr/lib/os-release".to_owned(),
            "/etc/hosts".to_owned(),
            format!("{}{up}/usr/lib/os-release", crate::escape::escaped(folder)),
        ],
    }
}

/// JSON: the dialect, location and folder of each root, the location of the bucket, and whether clients are redirected to
/// signed URLs. Mappings refuse every character that JSON would have escaped, but for the quote.
pub(super) fn description(shared: &super::Shared) -> String {
    let dialect = shared.dialect().map_or_else(|| "null".to_owned(), |dialect| format!("\"{dialect}\""));
    let roots = shared.accel.iter().flat_map(|accel| accel.mapping().roots()).map(|root| {
        let folder = root.folder().replace('"', "\\\"");
        format!("{{\"location\":\"{}\",\"folder\":\"{folder}\"}}", root.location())
    });
    let roots = roots.collect::<Vec<_>>().join(",");
    let masked = shared.masked.as_ref().map_or_else(
        || "null".to_owned(),
        |masked| {
            let upstream = masked.upstream();
            format!("{{\"location\":\"{}\",\"origin\":\"{}\"}}", upstream.location(), upstream.origin())
        },
    );
    let signer = shared.urls.is_some();
    format!("{{\"dialect\":{dialect},\"roots\":[{roots}],\"masked\":{masked},\"signer\":{signer}}}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::OTHER_NAMES;

    #[test]
    fn every_name_that_rendered_configurations_deal_with_is_made_up() {
        let said_once = ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"];
        let mut names: Vec<_> =
            OTHER_NAMES.iter().chain(&said_once).map(|name| name.to_lowercase()).collect();
        names.sort_unstable();
        assert_eq!(names, DOCTOR_VISITOR.map(|(name, _)| name));
    }
}
