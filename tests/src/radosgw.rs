//! [`Radosgw`]: Ceph's object gateway over one monitor and one storage daemon in memory.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use rusty_s3::S3Action as _;

use crate::children::{Running, free_ports, output};
use crate::fetch;

/// The user that owns the buckets and may assume roles.
const USER: (&str, &str, &str) = ("app", "RGWAPPKEY00000000001", "rgwsecretrgwsecretrgwsecretrgwsecret0001");
/// Where Debian keeps plug-ins.
const LIBRARIES: &str = "/usr/lib/x86_64-linux-gnu";

/// radosgw on loopback ports, with signatures, policies and `AssumeRole`.
#[derive(Debug)]
pub struct Radosgw {
    endpoint: String,
    folder: tempfile::TempDir,
    /// Ended in this order.
    _servers: Vec<Running>,
}

impl Radosgw {
    /// Starts one; takes half a minute.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path();
        for name in ["mon", "osd", "run", "log", "rgw"] {
            fs::create_dir(at.join(name)).expect("a folder");
        }
        let port = free_ports(101);
        let fsid = uuid();
        let gateway = port + 100;
        fs::write(at.join("ceph.conf"), configuration(at, &fsid, port, gateway)).expect("written");
        let log = |name: &str| at.join("log").join(name);

        let keyring = at.join("keyring");
        let all = ["--cap", "mon", "allow *"];
        let more = ["--cap", "osd", "allow *", "--cap", "mgr", "allow *"];
        run(
            at,
            "ceph-authtool",
            &[&["--create-keyring"], &[text(&keyring), "--gen-key", "-n", "mon."], &all],
        );
        run(at, "ceph-authtool", &[&[text(&keyring), "--gen-key", "-n", "client.admin"], &all, &more]);
        let daemon = ["--cap", "mon", "allow profile osd", "--cap", "osd", "allow *", "--cap", "mgr"];
        run(
            at,
            "ceph-authtool",
            &[&[text(&keyring), "--gen-key", "-n", "osd.0"], &daemon, &["allow profile osd"]],
        );
        let map = at.join("monmap");
        let address = format!("[v2:127.0.0.1:{port}]");
        run(
            at,
            "monmaptool",
            &[&["--create", "--addv", "a", &address, "--fsid", &fsid, "--clobber", text(&map)]],
        );
        let make =
            ["--mkfs", "-i", "a", "--keyring", text(&keyring), "--monmap", text(&map), "--fsid", &fsid];
        run(at, "ceph-mon", &[&make]);

        let mut monitor = Running::start(command(at, "ceph-mon", &[&["-f", "-i", "a"]]), &log("mon.out"));
        let ceph =
            |arguments: &[&str]| output(&mut command(at, "ceph", &[&["--connect-timeout", "5"], arguments]));
        monitor.wait_until("the monitor", || ceph(&["-s"]).is_ok());
        let daemon = uuid();
        ceph(&["osd", "new", &daemon]).expect("a daemon's id");
        ceph(&["osd", "crush", "add", "osd.0", "1.0", "root=default", "host=h"]).expect("a place");
        run(at, "ceph-osd", &[&["-i", "0", "--mkfs", "--osd-uuid", &daemon]]);
        let mut storage = Running::start(command(at, "ceph-osd", &[&["-f", "-i", "0"]]), &log("osd.out"));
        storage.wait_until("the storage daemon", || {
            ceph(&["osd", "stat"]).is_ok_and(|stat| stat.contains("1 up"))
        });

        let server = command(at, "radosgw", &[&["-n", "client.admin", "-f"]]);
        let mut server = Running::start(server, &log("rgw.out"));
        server.wait_until("radosgw", || std::net::TcpStream::connect(("127.0.0.1", gateway)).is_ok());
        let endpoint = format!("http://127.0.0.1:{gateway}");
        let this = Self { endpoint, folder, _servers: vec![server, storage, monitor] };
        let (uid, access, secret) = USER;
        this.admin(&[
            "user",
            "create",
            &format!("--uid={uid}"),
            "--display-name=app",
            &format!("--access-key={access}"),
            &format!("--secret={secret}"),
        ]);
        this
    }

    /// Runs `radosgw-admin`.
    fn admin(&self, arguments: &[&str]) {
        run(self.folder.path(), "radosgw-admin", &[arguments]);
    }

    /// Makes a role that [`Radosgw::user`] may assume and that may do what `policy` allows, and returns its ARN.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn role(&self, name: &str, policy: &str) -> String {
        let user = format!("arn:aws:iam:::user/{}", USER.0);
        let trust = format!(
            "{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Allow\",\"Principal\":{{\"AWS\":\
             [\"{user}\"]}},\"Action\":[\"sts:AssumeRole\"]}}]}}"
        );
        let named = format!("--role-name={name}");
        self.admin(&["role", "create", &named, "--path=/", &format!("--assume-role-policy-doc={trust}")]);
        self.admin(&["role-policy", "put", &named, "--policy-name=p", &format!("--policy-doc={policy}")]);
        format!("arn:aws:iam:::role/{name}")
    }

    /// Makes an empty bucket of the user's.
    ///
    /// # Panics
    /// If it cannot be made.
    pub async fn create_bucket(&self, name: &str) {
        let (_, access, secret) = USER;
        let endpoint = self.endpoint.parse().expect("a URL");
        let bucket = rusty_s3::Bucket::new(endpoint, rusty_s3::UrlStyle::Path, name.to_owned(), "us-east-1");
        let credentials = rusty_s3::Credentials::new(access, secret);
        let url = bucket.expect("a bucket").create_bucket(&credentials).sign(Duration::from_secs(60));
        let answer = fetch("PUT", url.as_str(), &["content-length: 0"]).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The same for buckets as hosts.
    #[must_use]
    pub fn domain(&self) -> String {
        self.endpoint.replace("127.0.0.1", "s3.localhost")
    }

    /// The user's access key and secret.
    #[must_use]
    pub fn user(&self) -> (&'static str, &'static str) {
        (USER.1, USER.2)
    }

    /// A client of a bucket, with a session token if there is one.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn store(
        &self,
        bucket: &str,
        access_key: &str,
        secret_key: &str,
        token: Option<&str>,
    ) -> Arc<dyn ObjectStore> {
        let mut builder = AmazonS3Builder::new()
            .with_endpoint(&self.endpoint)
            .with_allow_http(true)
            .with_region("us-east-1")
            .with_bucket_name(bucket)
            .with_access_key_id(access_key)
            .with_secret_access_key(secret_key)
            .with_retry(object_store::RetryConfig { max_retries: 0, ..Default::default() });
        if let Some(token) = token {
            builder = builder.with_token(token);
        }
        Arc::new(builder.build().expect("a client"))
    }
}

fn command(folder: &Path, program: &str, arguments: &[&[&str]]) -> Command {
    let mut command = Command::new(program);
    command.env("CEPH_CONF", folder.join("ceph.conf"));
    command.args(arguments.concat());
    command
}

fn run(folder: &Path, program: &str, arguments: &[&[&str]]) -> String {
    output(&mut command(folder, program, arguments)).unwrap_or_else(|error| panic!("{program}: {error}"))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain name")
}

fn uuid() -> String {
    fs::read_to_string("/proc/sys/kernel/random/uuid").expect("Linux").trim().to_owned()
}

/// Keeps no share of the disk free: a monitor stops when 5 % are left, however much that is.
fn configuration(folder: &Path, fsid: &str, port: u16, gateway: u16) -> String {
    let at = folder.display();
    let (first, last) = (port + 10, port + 90);
    format!(
        "[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{port}
public addr = 127.0.0.1
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
ms bind port min = {first}
ms bind port max = {last}
ms bind msgr1 = false
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = {at}/keyring
auth allow insecure global id reclaim = true
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail warn = 0
mon data avail crit = 0
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 1073741824
plugin dir = {LIBRARIES}/ceph
erasure code dir = {LIBRARIES}/ceph/erasure-code
osd class dir = {LIBRARIES}/rados-classes
run dir = {at}/run
admin socket = {at}/run/$cluster-$name.asok
log file = {at}/log/$name.log
mon data = {at}/mon
osd data = {at}/osd
mgr data = {at}/mgr
crash dir = {at}/crash
pid file = {at}/run/$name.pid
heartbeat file = {at}/run/$name.hb
setuser match path =
[client]
rgw sts key = abcdefghijklmnop
rgw s3 auth use sts = true
rgw frontends = beast endpoint=127.0.0.1:{gateway}
rgw dns name = s3.localhost
rgw data = {at}/rgw
keyring = {at}/keyring
rgw enable usage log = false
rgw thread pool size = 16
"
    )
}
