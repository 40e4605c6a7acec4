package remedy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

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
	// ByHand says why it is not put in place by the program.
	ByHand string `json:"byHand,omitempty"`
}

const (
	serviceSysctl = "sysctl"
	serviceSSHD   = "sshd"
)

var (
	sysctlLine = regexp.MustCompile(`^([a-z0-9_]+(?:[./][a-zA-Z0-9_-]+)+) ?= ?([a-zA-Z0-9_-]+)$`)
	sshdLine   = regexp.MustCompile(`^([A-Z][A-Za-z]+) ([a-z-]+)$`)
)

// files makes the drop-ins of a plan out of what its findings ask for, and takes that from the work that is
// left to people.
func (p *Plan) files(s *snapshot.Snapshot) []File {
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
	p.Manual = slices.DeleteFunc(p.Manual, func(m Manual) bool {
		done := false
		switch m.Kind {
		case serviceSysctl:
			for line := range strings.SplitSeq(m.Text, " and ") {
				done = sysctl.set(sysctlLine.FindStringSubmatch(line), " = ", m.Check)
			}
		case serviceSSHD:
			for line := range strings.Lines(m.Text) {
				done = sshd.set(sshdLine.FindStringSubmatch(strings.TrimSpace(line)), " ", m.Check)
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
