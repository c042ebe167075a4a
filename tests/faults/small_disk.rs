//! A disk of a few megabytes, in memory, that can be filled and freed. Making one needs the
//! right to mount; where that is missing, a limit on file sizes stands in for it, which
//! every process may set for its children.

use std::path::Path;
use std::process::Command;

/// A mounted disk; gone when this is dropped.
pub struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// Mounts one of `size`, for instance `24m`; `None` where that is not allowed.
    pub fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={size},mode=0755");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &options, "modelpager-test"]).arg(folder.path());
        if command.status().is_ok_and(|status| status.success()) {
            return Some(Self { folder });
        }
        println!("NOT TESTED: no disk can be mounted here; a limit on file sizes is tested in its place");
        None
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes until nothing fits any more.
    pub fn fill(&self) {
        let ballast = self.path().join("ballast");
        let mut command = Command::new("dd");
        command.args(["if=/dev/zero", "bs=4096", "status=none"]).arg(format!("of={}", ballast.display()));
        assert!(!command.stderr(std::process::Stdio::null()).status().unwrap().success(), "it is not full");
    }

    /// Makes room again.
    pub fn free(&self) {
        std::fs::remove_file(self.path().join("ballast")).unwrap();
    }

    /// Nothing can be written any more.
    pub fn make_read_only(&self) {
        let mut command = Command::new("mount");
        assert!(command.args(["-o", "remount,ro"]).arg(self.path()).status().unwrap().success());
    }

    /// Gives it to another user.
    pub fn give_to(&self, user: &str) {
        let mut command = Command::new("chown");
        assert!(command.arg(format!("{user}:")).arg(self.path()).status().unwrap().success());
        // Whoever reaches it has to pass the folder above.
        let mut command = Command::new("chmod");
        assert!(command.arg("0755").arg(self.path()).status().unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: who still has a file open on it must not keep it.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}
