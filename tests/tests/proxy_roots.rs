//! Several folders, volumes and tenants behind one proxy.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use axum::Router;
use http::StatusCode;
use secure_download::axum::download;
use secure_download::{AccelRedirect, Download, FileKey, Mapping, ProxyConfig, ProxySecret, Root};
use system_tests::{Http1, ProxyServer, SECRET, allow_everybody, serve_router};

#[tokio::test]
async fn each_download_comes_from_its_own_folder() {
    let cases = [
        ("plain", None, "a/file", "media/a/file", StatusCode::OK),
        ("archived", None, "archive/a/file", "old/a/file", StatusCode::OK),
        ("beside", None, "archived/file", "media/archived/file", StatusCode::OK),
        ("tenant", Some("tenant-7"), "a/file", "seven/a/file", StatusCode::OK),
        ("any", Some("é 8"), "a/file", "tenants/é 8/a/file", StatusCode::OK),
        // Another tenant's folder cannot be named.
        ("up", Some(".."), "seven/a/file", "unused", StatusCode::BAD_GATEWAY),
        ("absent", None, "a/none", "unused", StatusCode::NOT_FOUND),
        ("shadowed", None, "archive/b/file", "media/archive/b/file", StatusCode::NOT_FOUND),
    ];
    let catalog: HashMap<_, _> = cases
        .iter()
        .map(|&(id, volume, key, _, _)| {
            let download = Download::new(FileKey::parse(key).expect("a key"));
            (id.to_owned(), volume.map_or(download.clone(), |name| download.volume(name)))
        })
        .collect();
    for server in ProxyServer::ALL {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
        for (id, _, _, path, _) in cases {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, id).expect("written");
        }
        let root = |location, name| Root::new(location, folder.path().join(name)).expect("a root");
        let mapping = Mapping::new([
            root("/_p/media", "media"),
            root("/_p/archive", "old").keys_under("archive").expect("a key"),
            root("/_p/tenant-7", "seven").volume("tenant-7"),
            root("/_p/tenants", "tenants").every_volume(),
        ]);
        let (mapping, secret) = (mapping.expect("a mapping"), ProxySecret::new(SECRET).expect("a secret"));
        let accel = AccelRedirect::new(server.dialect(), mapping.clone(), secret.clone());
        let guard = accel.guard();
        let app = Router::new().route("/{id}", download(allow_everybody(catalog.clone(), accel)));
        let app = serve_router(app.layer(guard)).await;
        let run = folder.path().join("run");
        fs::create_dir(&run).expect("a folder");
        let proxy = server.start(&run, |listen| {
            let config = ProxyConfig::new(server.dialect(), &mapping, &secret).listen(listen).app(app);
            config.standalone(&run).expect("a plain name").run_as("www-data").render()
        });
        for (id, _, _, _, status) in cases {
            let answer = Http1::connect(proxy.address()).await.ask("GET", &format!("/{id}"), &[]).await;
            assert_eq!(answer.status, status, "{server:?} {id}");
            assert_eq!(answer.body == id.as_bytes(), status == StatusCode::OK, "{server:?} {id}");
        }
    }
}
