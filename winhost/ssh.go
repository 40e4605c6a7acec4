package winhost

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/sshd"
)

// SSHFiles is the directory %ProgramData%\ssh. Names in it are in lower case, with slashes.
type SSHFiles struct {
	Read func(name string) ([]byte, error) // fs.ErrNotExist where the host does not have it
	Glob func(pattern string) ([]string, error)
}

// sshProgram ends the name of the server: what is behind it in the command of its service are arguments.
const sshProgram = "sshd.exe"

// ssh is the OpenSSH server: absent where its service is not installed.
func (s *Source) ssh() snapshot.WindowsSSH {
	_, read := s.look(services + `\sshd`)
	out := snapshot.WindowsSSH{
		Read: read, Config: snapshot.Fact{State: snapshot.Absent}, Shell: s.value(`SOFTWARE\OpenSSH`, "DefaultShell"),
		AdminKeys: snapshot.WindowsACL{Read: untold("the access list of administrators_authorized_keys")},
	}
	if out.Shell.State == snapshot.Error && read.State == snapshot.Absent {
		out.Shell = snapshot.Fact{State: snapshot.Absent}
	}
	if read.State != snapshot.Present {
		return out
	}
	if s.Live != nil && s.Live.AdminKeys.Read.State != "" {
		out.AdminKeys = s.Live.AdminKeys
	}
	switch args, told := s.sshArguments(); {
	case !told:
		out.Config = untold("the command of the service sshd")
	case args != "":
		out.Config = snapshot.Fact{State: snapshot.Error, Reason: "its service starts sshd with arguments, which are not followed"}
	case s.SSHFiles == nil:
		out.Config = untold(`%ProgramData%\ssh\sshd_config`)
	default:
		out.Config, out.Contexts = s.SSHFiles.contexts()
	}
	return out
}

// sshArguments is what the service gives the server besides its name.
func (s *Source) sshArguments() (args string, told bool) {
	f := s.value(services+`\sshd`, "ImagePath")
	command := strings.ToLower(strings.TrimSpace(strings.ReplaceAll(f.Value, `"`, "")))
	i := strings.LastIndex(command, sshProgram)
	if f.State != snapshot.Present || i < 0 {
		return "", false
	}
	return strings.TrimSpace(command[i+len(sshProgram):]), true
}

var errNotFollowed = errors.New("what it includes was not told")

// contexts reads sshd_config as the server does. Without the file the server makes one that sets nothing which counts here.
func (d *SSHFiles) contexts() (snapshot.Fact, []snapshot.SSHContext) {
	var gap error
	src := sshd.Source{Place: sshPlace, Read: d.Read, Glob: func(pattern string) []string {
		names, err := d.Glob(pattern)
		if err != nil {
			gap = errors.Join(gap, fmt.Errorf("include %s: %w", pattern, err))
		}
		return names
	}}
	file, err := sshd.Parse(sshConfig, src)
	fact := present
	if errors.Is(err, fs.ErrNotExist) {
		file, err, fact = new(sshd.File), nil, snapshot.Fact{State: snapshot.Absent}
	}
	if err = errors.Join(err, gap); err != nil {
		state := snapshot.Error
		if errors.Is(err, fs.ErrPermission) {
			state = snapshot.Denied
		}
		return snapshot.Fact{State: state, Reason: short(err)}, nil
	}
	global := file.Global(nil, sshd.Defaults())
	// Accounts and their groups are not in the file: somebody who is an administrator stands for them, and one who is not.
	users := file.Principals([]*sshd.User{{Name: "administrator", Real: true, Groups: []string{"administrators"}}})
	groups, whole := file.Groups(users, sshd.EndsOf(global, true), sshd.MaxQuestionsOfUser)
	if !whole {
		return snapshot.Fact{State: snapshot.Error, Reason: "its Match blocks tell more connections apart than are thought through"}, nil
	}
	var list []snapshot.SSHContext
	for _, g := range groups {
		list = append(list, snapshot.SSHContext{Match: file.Label(g.Blocks), Settings: sshd.Kept(file.Over(g.Conn, global))})
	}
	slices.SortStableFunc(list, func(a, b snapshot.SSHContext) int { return len(a.Match) - len(b.Match) })
	return fact, list
}

// sshConfig is the file in its directory.
const sshConfig = "sshd_config"

// sshPlace is a path in the directory of the server, for one that may begin there or with a drive; one that leads elsewhere is left as it is
// (the build for Windows puts ProgramData for __PROGRAMDATA__).
func sshPlace(name string) string {
	name = path.Clean(strings.ToLower(strings.ReplaceAll(name, `\`, "/")))
	for _, dir := range []string{"__programdata__/ssh/", "%programdata%/ssh/", "c:/programdata/ssh/"} {
		if rest, ok := strings.CutPrefix(name, dir); ok {
			return rest
		}
	}
	return name
}

// sshFiles are the files of the server that somebody wrote down, by name in its directory.
type sshFiles map[string][]byte

// sshName is the name of a file in the directory of the server, "" of one that is none of its configuration.
func sshName(name string) string {
	dir, base := path.Split(path.Clean(strings.ToLower(name)))
	switch {
	case base == sshConfig:
		return base
	case path.Base(dir) == sshConfig+".d" && path.Ext(base) == ".conf":
		return sshConfig + ".d/" + base
	}
	return ""
}

// maxSSHFile bounds a file of the server's configuration, in bytes.
const maxSSHFile = 1 << 20

// directory is the files as the directory that they are from: what is not there was not told.
func (m sshFiles) directory() *SSHFiles {
	return &SSHFiles{
		Read: func(name string) ([]byte, error) {
			b, ok := m[name]
			if !ok {
				return nil, fmt.Errorf("%s: %w", name, errNotFollowed)
			}
			return plainText(name, b)
		},
		Glob: func(pattern string) (names []string, err error) {
			for _, name := range slices.Sorted(maps.Keys(m)) {
				if ok, err := path.Match(pattern, name); ok && err == nil {
					names = append(names, name)
				}
			}
			if len(names) == 0 {
				err = errNotFollowed
			}
			return names, err
		},
	}
}

// plainText refuses a file that is larger than one of the server's, and one of another encoding: the server does not start by it. The mark of UTF-8,
// which editors of Windows put before a text, the server passes over (w32_fopen_utf8).
func plainText(name string, b []byte) ([]byte, error) {
	switch {
	case len(b) > maxSSHFile:
		return nil, fmt.Errorf("%s: larger than %d KiB", name, maxSSHFile>>10)
	case bytes.IndexByte(b, 0) >= 0:
		return nil, fmt.Errorf("%s: it is no plain text", name)
	}
	return bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), nil
}
