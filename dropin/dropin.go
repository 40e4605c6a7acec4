// Package dropin is files of services: what a packet filter cannot close is closed by settings of the service itself, in a file of our
// own beside those of the vendor and of the administrator, which stay as they are.
//
// Make writes the files for the findings of a report. Services puts one in place: it is checked by the service's own program, read by
// the service, and compared with what then holds; and it takes one back. Who confirms it, and what happens where nobody does, is
// decided by package trial.
package dropin

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/snapshot"
)

// Manual is a finding, or a part of one, that is left to people.
type Manual struct {
	Check    string `json:"check"`
	What     string `json:"what"`
	Kind     string `json:"kind"`
	Text     string `json:"text"`
	Resource string `json:"-"` // path of the file that it is about
}

// File is a drop-in of a service: it closes what a packet filter cannot, beside the files of the vendor and
// of the administrator, which stay as they are.
type File struct {
	Service string `json:"service"` // sysctl, sshd, socket, unit, docker or openclaw
	Path    string `json:"path"`
	Content string `json:"content"`
	// Validate is run before the service reads the file; Effective tells what then holds, as lines of a
	// name and a value, and Want is what must be among them. Values of sysctl are read from the kernel.
	Validate  []string          `json:"validate,omitempty"`
	Effective []string          `json:"effective,omitempty"`
	Want      map[string]string `json:"want"`
	// Reload is the command for people; PIDs are the servers that read their configuration again on SIGHUP.
	Reload     string   `json:"reload"`
	PIDs       []int    `json:"pids,omitempty"`
	Inverse    string   `json:"inverse"`
	Disruption string   `json:"disruption"`
	Closes     []string `json:"closes"` // ids of checks
	// Unit is what is started again, Socket what gets another mode and owner at once.
	Unit   string `json:"unit,omitempty"`
	Socket string `json:"socket,omitempty"`
	// SocketFile is device and inode number of the socket that the plan is about: what took its place is left alone.
	SocketFile string `json:"socketFile,omitempty"`
	// Stops are TCP ports that the service no longer serves with the file.
	Stops []int `json:"stops,omitempty"`
	// ByHand says why it is not put in place by the program.
	ByHand string `json:"byHand,omitempty"`
}

// The kinds of services that there are files for.
const (
	serviceSysctl   = "sysctl"
	serviceSSHD     = "sshd"
	serviceSocket   = "socket"   // a control socket of a runtime: its mode now, and its unit's for later
	serviceUnit     = "unit"     // confinement of a unit
	serviceDocker   = "docker"   // how dockerd is started
	serviceOpenClaw = "openclaw" // settings of a gateway
)

// Touches are the sections of a snapshot that the file changes by what it sets: a check that reads one of them is another after it
// only because of the file. Of a socket, a unit or a daemon there is none: what runs on the host is in the same sections.
func (f *File) Touches() []string {
	switch f.Service {
	case serviceSysctl:
		return []string{"kernel", "network"}
	case serviceSSHD:
		return []string{"ssh"}
	}
	return nil
}

// Applied is a drop-in that was put in place, and what was there before.
type Applied struct {
	ID   string `json:"id"` // of its transaction
	File File   `json:"file"`
	// Old is the file of that name as it was; nil where there was none.
	Old *string `json:"old,omitempty"`
	// Values are the kernel's settings as they were, or mode and owner of a socket.
	Values map[string]string `json:"values,omitempty"`
	// Serves are the addresses at which processes of the service accepted TCP connections, as "127.0.0.1:22": of each server that reads its
	// configuration again, or under 0 of the main process of a unit. With the file and without it they do so again.
	Serves map[int][]string `json:"serves,omitempty"`
}

var (
	sysctlLine = regexp.MustCompile(`^([a-z0-9_]+(?:[./][a-zA-Z0-9_-]+)+) ?= ?([a-zA-Z0-9_-]+)$`)
	sshdLine   = regexp.MustCompile(`^([A-Z][A-Za-z]+) ([a-z-]+)$`)
)

// Make writes the files for the findings of a report about a snapshot. Of the work that would be left to people, it returns what still
// is: what a file does is taken out, and why there is none is added.
func Make(r *finding.Report, s *snapshot.Snapshot, work []Manual) ([]File, []Manual) {
	m := &maker{left: slices.Clone(work)}
	files := append(m.settings(s), m.services(r, s)...)
	return files, m.left
}

// maker is the work that is left while files are made.
type maker struct{ left []Manual }

// settings are the files of what findings ask for in words that are settings: sysctls, and options of sshd.
func (m *maker) settings(s *snapshot.Snapshot) []File {
	sysctl := File{
		Service: serviceSysctl, Path: "/etc/sysctl.d/90-ringfence.conf", Want: map[string]string{},
		Reload: "sysctl -p /etc/sysctl.d/90-ringfence.conf", Disruption: "none",
		Inverse: "remove the file and set the values of before",
	}
	// The first value counts in sshd_config, and files are read in the order of their names.
	sshd := File{
		Service: serviceSSHD, Path: "/etc/ssh/sshd_config.d/00-ringfence.conf", Want: map[string]string{},
		Validate: []string{"/usr/sbin/sshd", "-t"}, Effective: []string{"/usr/sbin/sshd", "-T"},
		Reload: "systemctl reload ssh", Inverse: "remove the file and reload",
		Disruption: "logins by what is forbidden end with their session; a new login must be tried before it is kept",
	}
	for i := range s.SSH.Servers {
		v := &s.SSH.Servers[i]
		switch {
		case v.Kind != "openssh" || v.PID <= 0 || v.Container != "" || slices.Contains(sshd.PIDs, v.PID):
		case v.Word.Trusted():
			sshd.PIDs = append(sshd.PIDs, v.PID)
		case v.Word == (snapshot.Word{}):
			sshd.Disruption += fmt.Sprintf("; process %d runs a program that is not known to be the host's: start it again by hand", v.PID)
		}
	}
	m.left = slices.DeleteFunc(m.left, func(w Manual) bool {
		done := false
		switch w.Kind {
		case serviceSysctl:
			for line := range strings.SplitSeq(w.Text, " and ") {
				done = sysctl.set(sysctlLine.FindStringSubmatch(line), " = ", w.Check)
			}
		case serviceSSHD:
			for line := range strings.Lines(w.Text) {
				done = sshd.set(sshdLine.FindStringSubmatch(strings.TrimSpace(line)), " ", w.Check)
			}
		}
		return done
	})
	list := []File{}
	for _, f := range []File{sysctl, sshd} {
		if len(f.Want) > 0 {
			f.Content = heading(f.Closes) + f.Content
			list = append(list, f)
		}
	}
	return list
}

// set adds a setting, and says whether it is one.
func (f *File) set(m []string, between, check string) bool {
	if m == nil {
		return false
	}
	if _, ok := f.Want[m[1]]; !ok {
		f.Want[m[1]] = m[2]
		f.Content += fmt.Sprintf("%s%s%s\n", m[1], between, m[2])
	}
	if !slices.Contains(f.Closes, check) {
		f.Closes = append(f.Closes, check)
	}
	return true
}
