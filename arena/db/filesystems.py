"""Where a path lies: SQLite's locks and its shared memory do not work on network file systems."""

from __future__ import annotations

from pathlib import Path

_LOCAL = {
    "ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "tmpfs", "ramfs", "overlay", "aufs", "f2fs", "jfs", "reiserfs",
    "apfs", "hfs", "ufs", "vfat", "exfat", "ntfs", "ntfs3", "bcachefs", "rootfs", "erofs", "squashfs",
}  # fmt: skip
_MOUNTS = Path("/proc/mounts")


def remote_kind(path: Path, mounts: Path = _MOUNTS) -> str | None:
    """Type of the file system if it is not known to be local ("nfs4", "cifs", "fuse.sshfs"), else None.

    Without a mount table (not Linux) nothing can be said, and None is returned.
    """
    try:
        table = mounts.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    best, kind = -1, ""
    for line in table.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        point = Path(fields[1].encode().decode("unicode_escape"))
        if (path == point or point in path.parents) and len(point.parts) >= best:
            best, kind = len(point.parts), fields[2]
    return kind if kind and kind not in _LOCAL else None
