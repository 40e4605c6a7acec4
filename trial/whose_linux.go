//go:build linux && !ringfence_portable

package trial

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ringfence/ringfence/host"
)

// whose says who wrote a file that has a name of ours.
type whose int

const (
	nobodys whose = iota // it is not there
	wroteIt              // as a fix of ours wrote it
	others               // somebody else's, or changed by somebody since
)

// The first line of a file of ours, before and after the digest of what follows it: it tells by itself, without a state, whether it is as
// it was written.
const (
	stampHead = "# written by ringfence, and left alone once it is changed: sha256 "
	stampTail = " of what follows\n"
)

// links are the symbolic links that we make, and where each leads.
var links = map[string]string{wanted: "../" + unitName, rollbackLink: "../" + rollbackUnit}

// maxWritten bounds a file of ours that is read back, in bytes.
const maxWritten = maxState

// write puts a file in place that says of itself that it is ours.
func (d Disk) write(name, text string, mode os.FileMode) error {
	return host.WriteOwn(d.path(name), []byte(stamp(text)+text), mode)
}

func stamp(text string) string {
	return fmt.Sprintf("%s%x%s", stampHead, sha256.Sum256([]byte(text)), stampTail)
}

// written is what we wrote into a file; where that is not as it was written, ok is false.
func (d Disk) written(name string) (text string, ok bool) {
	b, err := host.ReadOwn(d.path(name), maxWritten)
	if err != nil {
		return "", false
	}
	head, text, _ := strings.Cut(string(b), "\n")
	return text, head+"\n" == stamp(text)
}

// whose says whose a file with a name of ours is.
func (d Disk) whose(name string) whose {
	if _, err := os.Lstat(d.path(name)); errors.Is(err, fs.ErrNotExist) {
		return nobodys
	}
	ours := false
	if to, link := links[name]; link {
		at, err := os.Readlink(d.path(name))
		ours = err == nil && at == to
	} else {
		_, ours = d.written(name)
	}
	if ours {
		return wroteIt
	}
	return others
}

// theirs are those of some files of our names that are somebody else's.
func (d Disk) theirs(names ...string) (list []string) {
	for _, name := range names {
		if d.whose(name) == others {
			list = append(list, d.path(name))
		}
	}
	return list
}

// Strange are the files with names of ours, of what is done at boot, that are somebody else's.
func (d Disk) Strange() []string {
	return d.theirs(append([]string{rollbackFile, rollbackLink}, bootFiles...)...)
}

// Delete removes files that Strange told of.
func (d Disk) Delete(list ...string) error {
	var errs []error
	for _, name := range list {
		errs = append(errs, ignoreMissing(os.Remove(name)))
	}
	return errors.Join(errs...)
}

// removeOurs removes those of some files of our names that are ours.
func (d Disk) removeOurs(names ...string) error {
	var errs []error
	for _, name := range names {
		if d.whose(name) == wroteIt {
			errs = append(errs, ignoreMissing(os.Remove(d.path(name))))
		}
	}
	return errors.Join(errs...)
}

// draft writes a ruleset into a file of a new name beside the one that a boot loads.
func (d Disk) draft(text string) (name string, err error) {
	dir := filepath.Dir(d.path(rulesFile))
	if err := host.MakeDir(dir, 0o755); err != nil {
		return "", err
	}
	name = filepath.Join(dir, ".ringfence-"+newID())
	return name, host.WriteOwn(name, []byte(text), 0o600)
}
