package winhost

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"

	"github.com/ringfence/ringfence/snapshot"
)

// liveAdminKeys is who may write the keys by which administrators log in.
func liveAdminKeys() snapshot.WindowsACL {
	data, err := windows.KnownFolderPath(windows.FOLDERID_ProgramData, 0)
	if err != nil {
		return snapshot.WindowsACL{Read: liveFact(err)}
	}
	name := filepath.Join(data, "ssh", "administrators_authorized_keys")
	if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
		return snapshot.WindowsACL{Read: snapshot.Fact{State: snapshot.Absent}}
	}
	return aclOf(name, windows.SE_FILE_OBJECT)
}

// liveSSH is the directory of the SSH server of this host; nothing that leads out of it is followed. It is nil where the system does not
// say where it is, or has it where sshPlace does not look for it.
func liveSSH() *SSHFiles {
	data, err := windows.KnownFolderPath(windows.FOLDERID_ProgramData, 0)
	if err != nil || !strings.EqualFold(data, `C:\ProgramData`) {
		return nil
	}
	dir := filepath.Join(data, "ssh")
	return &SSHFiles{
		Read: func(name string) ([]byte, error) {
			if !sshInside(name) {
				return nil, fmt.Errorf("%s: %w", name, errNotFollowed)
			}
			root, err := os.OpenRoot(dir)
			if err != nil {
				return nil, err
			}
			defer root.Close()
			f, err := root.Open(filepath.FromSlash(name))
			if err != nil {
				return nil, err
			}
			defer f.Close()
			b, err := io.ReadAll(io.LimitReader(f, maxSSHFile+1))
			if err != nil {
				return nil, err
			}
			return plainText(name, b)
		},
		Glob: func(pattern string) ([]string, error) {
			if !sshInside(pattern) {
				return nil, errNotFollowed
			}
			root, err := os.OpenRoot(dir)
			if err != nil {
				return nil, err
			}
			defer root.Close()
			return fs.Glob(root.FS(), pattern)
		},
	}
}

// sshInside says of a place whether it is in the directory.
func sshInside(place string) bool { return !strings.Contains(place, ":") && fs.ValidPath(place) }
