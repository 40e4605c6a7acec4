// Package winhost makes the snapshot of a Windows host from what was written down there: hives, texts of regedit, exports of the firewall,
// registry.pol, "netsh wfp show state" and JSON of PowerShell. It runs on every system; on Windows itself the live registry and the tables
// of the kernel are read through the same functions.
//
// Files are of whoever wrote them, as a snapshot is: an audit of them is worth what the way is worth by which they came.
package winhost

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/registry"
	"github.com/ringfence/ringfence/snapshot"
)

// Source is what there is of a host.
type Source struct {
	// Machine is HKEY_LOCAL_MACHINE, as far as it is there; nil where nothing of it is. Users are the hives of users, by name.
	Machine registry.Key
	Users   map[string]registry.Key
	// Whole are the keys below HKEY_LOCAL_MACHINE of which everything is there: what is not in them the host does not have.
	Whole []string
	// Notes are gaps of what was read, by part of the section: a hive that was not written to its end.
	Notes map[string][]string
	// Texts are the keys of Whole that a text told of, with HKEY_LOCAL_MACHINE: one that is cut after a key has lost those behind it.
	Texts []string
	// Ignored are files that tell nothing, by name, with the reason.
	Ignored []string

	// Filters is what the filter engine holds; nil where it was not read, and FiltersRead says why.
	Live        *Live
	Filters     *snapshot.WindowsFilters
	FiltersRead snapshot.Fact
	Shell       Shell
	SSHFiles    *SSHFiles // nil where none of the server's files were told
}

// Keys of the registry.
const (
	current           = `SYSTEM\CurrentControlSet`
	services          = current + `\Services`
	localPolicy       = services + `\SharedAccess\Parameters\FirewallPolicy`
	groupPolicy       = `SOFTWARE\Policies\Microsoft\WindowsFirewall`
	wsman             = `SOFTWARE\Microsoft\Windows\CurrentVersion\WSMAN`
	winrmPolicy       = `SOFTWARE\Policies\Microsoft\Windows\WinRM\Service`
	winrmClientPolicy = `SOFTWARE\Policies\Microsoft\Windows\WinRM\Client`
	terminal          = current + `\Control\Terminal Server`
	rdpPolicy         = `SOFTWARE\Policies\Microsoft\Windows NT\Terminal Services`
	lanman            = services + `\LanmanServer\Parameters`
	version           = `SOFTWARE\Microsoft\Windows NT\CurrentVersion`
	systemPolicy      = `SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System`
)

var (
	errNotShown = errors.New("nothing that was read shows it")
	present     = snapshot.Fact{State: snapshot.Present}
)

// Snapshot is what was seen of the host. Tool is who says so.
func (s *Source) Snapshot(tool snapshot.Tool, at time.Time) *snapshot.Snapshot {
	out := &snapshot.Snapshot{Schema: snapshot.Schema, Tool: tool, CollectedAt: at.UTC().Format(time.RFC3339)}
	out.Host = s.host()
	w := &out.Windows
	w.System = s.system()
	w.Firewall = s.firewall()
	w.HyperV = s.hyperv()
	w.Filters = s.filters()
	w.Services = s.services()
	w.WinRM = s.winrm()
	w.RDP = s.rdp()
	w.SMB = s.smb()
	w.SSH = s.ssh()
	w.PortProxy = s.portproxy()
	w.Adapters = s.adapters()
	w.Listeners = s.listeners(w)
	w.Networks = s.networks(w)
	w.Pipes = s.pipes()
	w.Processes = s.processes()
	w.Groups = s.groups()
	w.Agents = s.agents(w)
	out.Coverage = []snapshot.Coverage{s.coverage(w)}
	return out
}

// coverage is partial where a part was not read.
func (s *Source) coverage(w *snapshot.Windows) snapshot.Coverage {
	c := snapshot.Coverage{Collector: "windows", Status: snapshot.OK}
	read := 0
	for part, f := range w.Reads() {
		switch f.State {
		case snapshot.Present, snapshot.Absent:
			read++
		default:
			c.Parts = append(c.Parts, part)
			c.Reasons = append(c.Reasons, part+": "+f.Reason)
		}
		for _, note := range s.Notes[part] {
			c.Parts = append(c.Parts, part)
			c.Reasons = append(c.Reasons, part+": "+note)
		}
	}
	for i, name := range s.Ignored {
		if i == maxIgnored {
			c.Reasons = append(c.Reasons, fmt.Sprintf("files: %d more were not read", len(s.Ignored)-i))
			break
		}
		c.Reasons = append(c.Reasons, "files: not read: "+name)
	}
	slices.Sort(c.Parts)
	c.Parts = slices.Compact(c.Parts)
	slices.Sort(c.Reasons)
	switch {
	case read == 0:
		c.Status, c.Parts = snapshot.Error, nil
	case len(c.Parts) == 0: // who is in groups no file tells, so that files are never all
		c.Reasons = nil
	default:
		c.Status = snapshot.Partial
	}
	return c
}

// maxIgnored bounds the files that are named of those that tell nothing.
const maxIgnored = 50

// note is a gap of a part that was read all the same.
func (s *Source) note(part, format string, args ...any) {
	if s.Notes == nil {
		s.Notes = map[string][]string{}
	}
	text := fmt.Sprintf(format, args...)
	if list := s.Notes[part]; len(list) < 20 && !slices.Contains(list, text) {
		s.Notes[part] = append(list, text)
	}
}

// look opens a key below HKEY_LOCAL_MACHINE. The fact is absent only where what was read has everything that could hold it.
func (s *Source) look(path string) (registry.Key, snapshot.Fact) {
	if s.Machine == nil {
		return nil, snapshot.Fact{State: snapshot.Error, Reason: "no registry was read"}
	}
	k, err := registry.Open(s.Machine, path)
	if err == nil {
		return k, present
	}
	return nil, s.why(path, err)
}

// lacks is why a key that another one does not have may be there all the same, absent where it is not.
func (s *Source) lacks(path, name string) snapshot.Fact {
	return s.why(path+`\`+name, fs.ErrNotExist)
}

// why is the fact of what is not at a path.
func (s *Source) why(path string, err error) snapshot.Fact {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return snapshot.Fact{State: snapshot.Denied, Reason: short(err)}
	case !errors.Is(err, fs.ErrNotExist):
		return snapshot.Fact{State: snapshot.Error, Reason: short(err)}
	case slices.ContainsFunc(s.Whole, func(w string) bool { return registry.Below(path, w) }):
		return snapshot.Fact{State: snapshot.Absent}
	}
	return snapshot.Fact{State: snapshot.Error, Reason: `HKLM\` + path + ": " + errNotShown.Error()}
}

// short is an error as one line.
func short(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if r := []rune(text); len(r) > 300 {
		text = string(r[:300]) + "…"
	}
	return text
}

// value is a value of a key as a fact: a number in decimal digits, or a text.
func (s *Source) value(path, name string) snapshot.Fact {
	k, f := s.look(path)
	if k == nil {
		return f
	}
	v, err := registry.Get(k, name)
	if errors.Is(err, fs.ErrNotExist) {
		return snapshot.Fact{State: snapshot.Absent}
	}
	if err != nil {
		return s.why(path, err)
	}
	return valueFact(v)
}

func valueFact(v registry.Value) snapshot.Fact {
	if n, ok := v.Number(); ok {
		return snapshot.Fact{State: snapshot.Present, Value: fmt.Sprint(n)}
	}
	if t, ok := v.Text(); ok {
		return snapshot.Fact{State: snapshot.Present, Value: t}
	}
	if list, ok := v.Texts(); ok {
		return snapshot.Fact{State: snapshot.Present, Value: strings.Join(list, ",")}
	}
	return snapshot.Fact{State: snapshot.Error, Reason: fmt.Sprintf("%s has the type %d", v.Name, v.Type)}
}

// number is a value that is a number; ok says that it is there and is one.
func (s *Source) number(path, name string) (n int, ok bool) {
	k, _ := s.look(path)
	if k == nil {
		return 0, false
	}
	v, err := registry.Get(k, name)
	if err != nil {
		return 0, false
	}
	u, ok := v.Number()
	return int(min(u, 1<<31)), ok
}

func (s *Source) text(path, name string) string {
	if f := s.value(path, name); f.State == snapshot.Present {
		return f.Value
	}
	return ""
}
