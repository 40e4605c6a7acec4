package winhost

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/sys/windows"
	winreg "golang.org/x/sys/windows/registry"

	"github.com/ringfence/ringfence/registry"
	"github.com/ringfence/ringfence/snapshot"
)

// Look reads the host that the program runs on. What it is refused is denied, part by part.
func Look() (*Source, error) {
	s := &Source{Machine: liveKey{winreg.LOCAL_MACHINE, ""}, Whole: []string{""}, Users: map[string]registry.Key{}, Live: new(Live)}
	s.FiltersRead = snapshot.Fact{State: snapshot.Error, Reason: "the filter engine was not asked: add its state with netsh wfp show state, and collect --from windows:DIR"}
	users := liveKey{winreg.USERS, ""}
	names, err := users.Keys()
	if err != nil {
		s.note("networks", "users: %s", short(err))
	}
	for _, n := range names {
		if k, err := users.Key(n); err == nil && strings.HasPrefix(n, "S-1-5-21-") && !strings.HasSuffix(n, "_Classes") {
			s.Users[n] = k
		}
	}
	l := s.Live
	l.Adapters, l.AdaptersRead = liveAdapters()
	l.Routes = liveRoutes(l.Adapters)
	programs, listed := livePrograms()
	l.Listeners, l.ListenersRead = liveListeners(programs)
	l.Processes, l.ProcessesRead = liveProcesses(programs, listed)
	l.Pipes, l.PipesRead = livePipes()
	l.File = func(path string) snapshot.WindowsACL { return aclOf(path, windows.SE_FILE_OBJECT) }
	if s.Shell, err = liveServices(); err != nil {
		s.note("services", "which run: %s", short(err))
	}
	s.SSHFiles, l.AdminKeys = liveSSH(), liveAdminKeys()
	return s, nil
}

// liveKey is a key of the live registry.
type liveKey struct {
	root winreg.Key
	path string
}

// errOf is an error of the registry by what it is for those who ask.
func errOf(err error) error {
	switch {
	case errors.Is(err, windows.ERROR_FILE_NOT_FOUND) || errors.Is(err, windows.ERROR_PATH_NOT_FOUND):
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	case errors.Is(err, windows.ERROR_ACCESS_DENIED):
		return fmt.Errorf("%w: %w", fs.ErrPermission, err)
	}
	return err
}

func (k liveKey) open() (winreg.Key, error) {
	h, err := winreg.OpenKey(k.root, k.path, winreg.QUERY_VALUE|winreg.ENUMERATE_SUB_KEYS|winreg.WOW64_64KEY)
	if err != nil {
		return 0, fmt.Errorf("registry %s: %w", k.path, errOf(err))
	}
	return h, nil
}

// maxLive bounds the keys and values of one key, and processes.
const maxLive = 100_000

// Keys implements registry.Key.
func (k liveKey) Keys() ([]string, error) {
	h, err := k.open()
	if err != nil {
		return nil, err
	}
	defer h.Close()
	names, err := h.ReadSubKeyNames(0)
	if err != nil {
		return nil, errOf(err)
	}
	if len(names) > maxLive {
		return nil, registry.ErrTooMuch
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	return names, nil
}

// Key implements registry.Key.
func (k liveKey) Key(name string) (registry.Key, error) {
	path := name
	if k.path != "" {
		path = k.path + `\` + name
	}
	c := liveKey{k.root, path}
	h, err := c.open()
	if err != nil {
		return nil, err
	}
	h.Close()
	return c, nil
}

// Values implements registry.Key.
func (k liveKey) Values() ([]registry.Value, error) {
	h, err := k.open()
	if err != nil {
		return nil, err
	}
	defer h.Close()
	names, err := h.ReadValueNames(0)
	if err != nil {
		return nil, errOf(err)
	}
	if len(names) > maxLive {
		return nil, registry.ErrTooMuch
	}
	var list []registry.Value
	for _, n := range names {
		v, err := liveValue(h, n)
		if errors.Is(err, fs.ErrNotExist) { // it went meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	slices.SortStableFunc(list, func(a, b registry.Value) int {
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	return list, nil
}

// maxLiveData bounds the data of a value, in bytes: the registry holds 1 MiB in one (winreg.h).
const maxLiveData = 1 << 20

func liveValue(h winreg.Key, name string) (registry.Value, error) {
	b := make([]byte, 1024)
	n, typ, err := h.GetValue(name, b)
	for errors.Is(err, winreg.ErrShortBuffer) && n <= maxLiveData {
		b = make([]byte, n)
		n, typ, err = h.GetValue(name, b)
	}
	if err != nil {
		return registry.Value{}, errOf(err)
	}
	return registry.Value{Name: name, Type: registry.Type(typ), Data: b[:n]}, nil
}

// Security implements registry.Key.
func (k liveKey) Security() ([]byte, error) {
	roots := map[winreg.Key]string{winreg.LOCAL_MACHINE: "MACHINE", winreg.USERS: "USERS"}
	sd, err := windows.GetNamedSecurityInfo(roots[k.root]+`\`+k.path, windows.SE_REGISTRY_KEY, windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return nil, errOf(err)
	}
	return descriptorBytes(sd)
}

// descriptorBytes is a security descriptor as the registry keeps one.
func descriptorBytes(sd *windows.SECURITY_DESCRIPTOR) ([]byte, error) {
	text := sd.String()
	if text == "" {
		return nil, errNoDescriptor
	}
	self, err := windows.SecurityDescriptorFromString(text)
	if err != nil {
		return nil, fmt.Errorf("security descriptor: %w", err)
	}
	return bytesOf(self), nil
}

// aclOf is who may use what a name leads to.
func aclOf(name string, kind windows.SE_OBJECT_TYPE) snapshot.WindowsACL {
	sd, err := windows.GetNamedSecurityInfo(name, kind, windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return snapshot.WindowsACL{Read: liveFact(err)}
	}
	return sddl(sd.String())
}

// liveFact is why something was not read.
func liveFact(err error) snapshot.Fact {
	state := snapshot.Error
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) || errors.Is(err, fs.ErrPermission) {
		state = snapshot.Denied
	}
	return snapshot.Fact{State: state, Reason: short(err)}
}

// livePipes are the pipes of runtimes and keys that there are. None is opened.
func livePipes() ([]snapshot.WindowsPipe, snapshot.Fact) {
	pattern, err := windows.UTF16PtrFromString(`\\.\pipe\*`)
	if err != nil {
		return nil, liveFact(err)
	}
	var data windows.Win32finddata
	h, err := windows.FindFirstFile(pattern, &data)
	if err != nil {
		return nil, liveFact(fmt.Errorf("list pipes: %w", err))
	}
	defer windows.FindClose(h) //nolint:errcheck // a handle for reading
	var list []snapshot.WindowsPipe
	for range maxLive {
		name := windows.UTF16ToString(data.FileName[:])
		if role := pipeRoles[strings.ToLower(name)]; role != "" {
			list = append(list, snapshot.WindowsPipe{Name: name, Role: role, ACL: aclOf(`\\.\pipe\`+name, windows.SE_KERNEL_OBJECT)})
		}
		if err := windows.FindNextFile(h, &data); err != nil {
			if errors.Is(err, windows.ERROR_NO_MORE_FILES) {
				return list, present
			}
			return list, liveFact(fmt.Errorf("list pipes: %w", err))
		}
	}
	return list, liveFact(registry.ErrTooMuch)
}
