"""A file system of its own that can be filled: a loop file with ext4, or a tmpfs; root's alone."""

import os
import subprocess


class SmallDisk:
    def __init__(self, path, megabytes=2048):
        self.path, self.image = path, None
        self.filler = f"{path}/.filler"
        self.problem = self.mount(megabytes)

    def mount(self, megabytes):
        """None, or why there is none."""
        if os.geteuid() != 0:
            return "only root may mount one"
        image = self.path.rstrip("/") + ".disk"
        try:
            with open(image, "wb") as file:
                file.truncate(megabytes << 20)
            # No room is kept for root: what the file system says is what there is.
            run("mkfs.ext4", "-q", "-m", "0", image)
            run("mount", "-o", "loop", image, self.path)
            self.image = image
        except (OSError, subprocess.CalledProcessError):
            if os.path.exists(image):
                os.unlink(image)
            try:
                run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", self.path)
            except (OSError, subprocess.CalledProcessError) as error:
                return f"no file system can be mounted: {error}"
        os.chmod(self.path, 0o755)
        return None

    def fill(self, leave=0):
        """Takes everything but `leave` bytes."""
        with open(self.filler, "ab") as file:
            step = 64 << 20
            while step >= 4096:
                free = os.statvfs(self.path)
                room = free.f_bavail * free.f_frsize - leave
                step = min(step, max(room, 0))
                if step < 4096:
                    break
                try:
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, step)
                except OSError:
                    step //= 2

    def free(self):
        try:
            os.unlink(self.filler)
        except FileNotFoundError:
            pass

    def unmount(self):
        if self.problem:
            return
        self.free()
        subprocess.run(["umount", self.path], check=False)
        if self.image:
            os.unlink(self.image)


def run(*words):
    subprocess.run(words, check=True, capture_output=True)
