// Package dropin is files of services: what a packet filter cannot close is closed by settings of the service itself, in a file of our
// own beside those of the vendor and of the administrator, which stay as they are.
//
// Make writes the files for the findings of a report. Services puts one in place: it is checked by the service's own program, read by
// the service, and compared with what then holds; and it takes one back. Who confirms it, and what happens where nobody does, is
// decided by package trial.
package dropin

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/snapshot"
)

// Manual is a finding, or a part of one, that is left to people.
type Manual struct {
	Check    string `json:"check"` // that found it
	What     string `json:"what"`  // is wrong
	Kind     string `json:"kind"`  // of the remedy
	Text     string `json:"text"`  // what to do, or what to put into a file
	Resource string `json:"-"`     // path of the file that it is about
	Held     bool   `json:"-"`     // a file is not written since something hangs on it, as the text says
	// Reason says which of the reasons it is that the program asks for; of any other there is none.
	Reason Reason `json:"reason,omitempty"`
	// Settings are what the text says, where it is settings of a file.
	Settings finding.Settings `json:"settings,omitempty"`
}

// Reason is why something is left to people.
type Reason string

// The reasons that the program asks for.
const (
	ReasonAsked    Reason = "asked"    // with --keep, for all that it would be closed to
	ReasonOpen     Reason = "open"     // it cannot be shown to be closed
	ReasonBaseline Reason = "baseline" // a host that lets in only what it knows is not to be made of this one
)

// File is a drop-in of a service: it closes what a packet filter cannot, beside the files of the vendor and
// of the administrator, which stay as they are.
type File struct {
	Service string `json:"service"` // sysctl, sshd, socket, unit, docker or openclaw
	Path    string `json:"path"`    // where it is put
	Content string `json:"content"` // the whole of it
	// Validate is run before the service reads the file; Effective tells what then holds, as lines of a
	// name and a value, and Want is what must be among them. Values of sysctl are read from the kernel.
	Validate  []string          `json:"validate,omitempty"`
	Effective []string          `json:"effective,omitempty"` // command that tells what holds
	Want      map[string]string `json:"want"`                // what has to hold then, by name
	// Reload is the command for people; PIDs are the servers that read their configuration again on SIGHUP.
	Reload     string   `json:"reload"`
	PIDs       []int    `json:"pids,omitempty"` // of the servers
	Inverse    string   `json:"inverse"`        // what undoes it
	Disruption string   `json:"disruption"`     // what is interrupted
	Closes     []string `json:"closes"`         // ids of checks
	// Unit is what is started again, Socket what gets another mode and owner at once.
	Unit   string `json:"unit,omitempty"`
	Socket string `json:"socket,omitempty"` // path of the socket
	// SocketFile is device and inode number of the socket that the plan is about: what took its place is left alone.
	SocketFile string `json:"socketFile,omitempty"`
	// Stops are TCP ports that the service no longer serves with the file.
	Stops []int `json:"stops,omitempty"`
	// Configs are the files of configuration that the servers of PIDs read: each is checked before its server reads it again.
	Configs []string `json:"configs,omitempty"`
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
	Old  *string     `json:"old,omitempty"`
	Mode fs.FileMode `json:"mode,omitempty"` // of that file
	// Values are the kernel's settings as they were, or mode and owner of a socket.
	Values map[string]string `json:"values,omitempty"`
	// Serves are the addresses at which processes of the service accepted TCP connections, as "127.0.0.1:22": of each server that reads its
	// configuration again, or under 0 of the main process of a unit. With the file and without it they do so again.
	Serves map[int][]string `json:"serves,omitempty"`
}

// Aside is where what somebody made of the file stays when it is taken back: no service reads files of that ending.
func (a *Applied) Aside() string { return a.File.Path + ".changed-" + a.ID }

// settingForm is what names and values of settings are made of, and what is between them in a file.
type settingForm struct {
	name, value *regexp.Regexp
	between     string
}

var forms = map[string]settingForm{
	serviceSysctl: {regexp.MustCompile(`^[a-z0-9_]+([./][a-zA-Z0-9_-]+)+$`), regexp.MustCompile(`^[a-zA-Z0-9_-]+$`), " = "},
	serviceSSHD:   {regexp.MustCompile(`^[A-Z][A-Za-z0-9]+$`), regexp.MustCompile(`^[a-z-]+$`), " "},
}

// written are the settings that policies of users have as a text: "name = value and name = value" of the kernel, lines of sshd_config.
func written(kind, text string) (list finding.Settings) {
	between, assigns := "\n", " "
	if kind == serviceSysctl {
		between, assigns = " and ", "="
	}
	for part := range strings.SplitSeq(strings.TrimSpace(text), between) {
		name, value, _ := strings.Cut(strings.TrimSpace(part), assigns)
		list = append(list, finding.Setting{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	}
	return list
}

// Make writes the files for the findings of a report about a snapshot. Of the work that would be left to people, it returns what still
// is: what a file does is taken out, and why there is none is added.
func Make(r *finding.Report, s *snapshot.Snapshot, work []Manual) ([]File, []Manual) {
	m := &maker{left: slices.Clone(work)}
	files := append(m.settings(s), m.services(r, s)...)
	return files, m.left
}

// maker is the work that is left while files are made.
type maker struct{ left []Manual }

// settings are the files of what findings ask for in settings: sysctls, and options of sshd.
func (m *maker) settings(s *snapshot.Snapshot) []File {
	// The last value counts in files of sysctl.d(5), whatever the directory: Debian has what people write into /etc/sysctl.conf as 99-sysctl.conf.
	sysctl := File{
		Service: serviceSysctl, Path: "/etc/sysctl.d/99-zz-ringfence.conf", Want: map[string]string{},
		Reload: "sysctl -p /etc/sysctl.d/99-zz-ringfence.conf", Disruption: "none",
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
		case v.Word.Trusted() && !reads(s, v.Config):
			// its configuration does not include the file
		case v.Word.Trusted():
			sshd.PIDs = append(sshd.PIDs, v.PID)
			if !slices.Contains(sshd.Configs, v.Config) && v.Config != "" {
				sshd.Configs = append(sshd.Configs, v.Config)
			}
		case v.Word == (snapshot.Word{}):
			sshd.Disruption += fmt.Sprintf("; process %d runs a program that is not known to be the host's: start it again by hand", v.PID)
		}
	}
	for i := range m.left {
		m.left[i].holdBack(s)
	}
	sshd.commands(s)
	m.left = slices.DeleteFunc(m.left, func(w Manual) bool {
		switch w.Kind {
		case serviceSysctl:
			return sysctl.set(&w)
		case serviceSSHD:
			return sshd.set(&w)
		}
		return false
	})
	if names := keyless(s, sshd.Configs); sshd.Want["PasswordAuthentication"] == "no" && names != "" {
		sshd.Disruption += "; accounts without a key that is known to work no longer log in by a password: " + names
	}
	list := []File{}
	for _, f := range []File{sysctl, sshd} {
		if len(f.Want) > 0 {
			f.Content = heading(f.Closes) + f.Content
			list = append(list, f)
		}
	}
	return list
}

// commands are how people have the servers of a file read it, and without it again: by their units where they have some, else by a signal.
func (f *File) commands(s *snapshot.Snapshot) {
	var list []string
	for _, pid := range f.PIDs {
		command := fmt.Sprintf("kill -HUP %d", pid)
		for i := range s.SSH.Servers {
			if v := &s.SSH.Servers[i]; v.PID == pid && v.Word.Trusted() && strings.HasSuffix(v.Unit, ".service") && unitWord.MatchString(v.Unit) {
				command = "systemctl reload " + v.Unit
			}
		}
		if !slices.Contains(list, command) {
			list = append(list, command)
		}
	}
	if len(list) > 0 {
		f.Reload = strings.Join(list, "; ")
		f.Inverse = "rm " + f.Path + "; " + f.Reload
	}
}

// unitWord is of names of units that are one word for a shell.
var unitWord = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.@-]*$`)

// set adds the settings of a finding, and says whether it did: all of them, or where one is none or another value is wanted already, nothing.
func (f *File) set(w *Manual) bool {
	form, list := forms[f.Service], w.Settings
	if len(list) == 0 {
		list = written(w.Kind, w.Text)
	}
	asked := map[string]string{}
	for _, x := range list {
		for _, earlier := range []map[string]string{f.Want, asked} {
			if was, ok := earlier[x.Name]; ok && was != x.Value {
				return false
			}
		}
		if !form.name.MatchString(x.Name) || !form.value.MatchString(x.Value) {
			return false
		}
		asked[x.Name] = x.Value
	}
	for _, x := range list {
		if _, ok := f.Want[x.Name]; !ok {
			f.Want[x.Name] = x.Value
			f.Content += x.Name + form.between + x.Value + "\n"
		}
	}
	if !slices.Contains(f.Closes, w.Check) {
		f.Closes = append(f.Closes, w.Check)
	}
	return true
}
