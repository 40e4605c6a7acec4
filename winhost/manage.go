package winhost

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/registry"
	"github.com/ringfence/ringfence/snapshot"
)

// host is who the host is.
func (s *Source) host() snapshot.Host {
	h := snapshot.Host{OS: "windows", Self: snapshot.Self{UID: -1}}
	h.Name = s.text(current+`\Control\ComputerName\ComputerName`, "ComputerName")
	h.OSVersion = s.text(version, "ProductName")
	if b := s.text(version, "CurrentBuildNumber"); b != "" {
		h.Kernel = "build " + b
		if u, ok := s.number(version, "UBR"); ok {
			h.Kernel += "." + strconv.Itoa(u)
		}
	}
	switch s.text(current+`\Control\Session Manager\Environment`, "PROCESSOR_ARCHITECTURE") {
	case "AMD64":
		h.Arch = "amd64"
	case "ARM64":
		h.Arch = "arm64"
	case "x86":
		h.Arch = "386"
	default:
	}
	if id := s.text(`SOFTWARE\Microsoft\Cryptography`, "MachineGuid"); id != "" {
		sum := sha256.Sum256([]byte("ringfence " + strings.ToLower(id)))
		h.MachineID = hex.EncodeToString(sum[:])
	}
	return h
}

func (s *Source) system() snapshot.WindowsSystem {
	_, read := s.look(version)
	w := snapshot.WindowsSystem{
		Read: read, Product: s.text(version, "ProductName"), Edition: s.text(version, "EditionID"),
		Type: s.text(current+`\Control\ProductOptions`, "ProductType"), Domain: s.text(services+`\Tcpip\Parameters`, "Domain"),
		LocalAccountTokenFilterPolicy: s.value(systemPolicy, "LocalAccountTokenFilterPolicy"),
	}
	w.Build, _ = strconv.Atoi(s.text(version, "CurrentBuildNumber"))
	w.UBR, _ = s.number(version, "UBR")
	w.Major, _ = s.number(version, "CurrentMajorVersionNumber")
	w.Minor, _ = s.number(version, "CurrentMinorVersionNumber")
	return w
}

// winrm reads the listeners and settings of WinRM.
func (s *Source) winrm() snapshot.WindowsWinRM {
	w := snapshot.WindowsWinRM{Settings: map[string]snapshot.Fact{}}
	_, w.Read = s.look(wsman)
	for _, name := range snapshot.WinRMSettings {
		w.Settings[name] = s.value(wsman+`\Service`, name)
	}
	for _, name := range []string{"AllowBasic", "AllowUnencryptedTraffic", "AllowAutoConfig", "AllowCredSSP", "AllowKerberos", "AllowNegotiate", "IPv4Filter", "IPv6Filter", "HttpCompatibilityListener", "HttpsCompatibilityListener", "CBTHardeningLevel"} {
		w.Settings["policy."+name] = s.value(winrmPolicy, name)
	}
	s.winrmClient(w.Settings)
	w.RootSDDL = snapshot.WindowsACL{Read: snapshot.Fact{State: snapshot.Absent}}
	switch f := s.value(wsman+`\Service`, "rootSDDL"); f.State {
	case snapshot.Present:
		w.RootSDDL = sddl(f.Value)
	default:
		w.RootSDDL.Read = f
	}
	k, read := s.look(wsman + `\Listener`)
	if w.Read.State == snapshot.Present && read.State != snapshot.Absent {
		w.Read = read
	}
	if k != nil {
		list, err := winrmListeners(k)
		if err != nil {
			w.Read = s.why(wsman+`\Listener`, err)
		}
		w.Listeners = list
	}
	w.Listeners = append(w.Listeners, compatible(w.Settings)...)
	if f := w.Settings["policy.AllowAutoConfig"]; f.Value == "1" {
		w.Listeners = append(w.Listeners, snapshot.WinRMListener{
			Address: "*", Transport: "HTTP", Port: 5985, Prefix: "wsman", Policy: true,
			Enabled: !filtersNone(w.Settings["policy.IPv4Filter"]) || !filtersNone(w.Settings["policy.IPv6Filter"]),
		})
	}
	return w
}

// compatible are the listeners on the ports of the web that a policy has WinRM keep, beside those that are set up (WindowsRemoteManagement.admx).
func compatible(settings map[string]snapshot.Fact) (list []snapshot.WinRMListener) {
	for _, l := range []struct {
		policy, transport string
		port              int
	}{{"policy.HttpCompatibilityListener", "HTTP", 80}, {"policy.HttpsCompatibilityListener", "HTTPS", 443}} {
		if settings[l.policy].Value == "1" {
			list = append(list, snapshot.WinRMListener{Address: "*", Transport: l.transport, Port: l.port, Prefix: "wsman", Policy: true, Enabled: true})
		}
	}
	return list
}

// filtersNone says of the filter of a policy that WinRM listens on no address by it: it is not set, or empty (Policy CSP, AllowRemoteServerManagement).
func filtersNone(f snapshot.Fact) bool {
	return f.State == snapshot.Absent || f.State == snapshot.Present && strings.TrimSpace(f.Value) == ""
}

// winrmClient reads whom the host trusts when it connects itself. A policy is a switch and a list.
func (s *Source) winrmClient(settings map[string]snapshot.Fact) {
	settings[snapshot.WinRMTrusted] = s.value(wsman+`\Client`, "trusted_hosts")
	list := s.value(winrmClientPolicy, "TrustedHostsList")
	if on := s.value(winrmClientPolicy, "TrustedHosts"); on.State != snapshot.Present {
		list = on
	} else if on.Value != "1" {
		list = snapshot.Fact{State: snapshot.Present}
	}
	settings["policy.TrustedHostsList"] = list
}

func winrmListeners(k registry.Key) ([]snapshot.WinRMListener, error) {
	names, err := k.Keys()
	if err != nil {
		return nil, err
	}
	var list []snapshot.WinRMListener
	for _, name := range names {
		c, err := k.Key(name)
		if err != nil {
			return nil, err
		}
		values, err := c.Values()
		if err != nil {
			return nil, err
		}
		i := strings.LastIndexByte(name, '+')
		if i < 0 {
			continue
		}
		l := snapshot.WinRMListener{Address: name[:i], Transport: strings.ToUpper(name[i+1:]), Enabled: true}
		l.Port = map[string]int{"HTTP": 5985, "HTTPS": 5986}[l.Transport]
		for _, v := range values {
			switch n, isNumber := v.Number(); strings.ToLower(v.Name) {
			case "port":
				if isNumber && n <= 0xffff {
					l.Port = int(n)
				}
			case "enabled":
				l.Enabled = !isNumber || n != 0
			case "uriprefix", "urlprefix":
				l.Prefix, _ = v.Text()
			default:
			}
		}
		list = append(list, l)
	}
	return list, nil
}

func (s *Source) rdp() snapshot.WindowsSettings {
	w := snapshot.WindowsSettings{Settings: map[string]snapshot.Fact{}}
	_, w.Read = s.look(terminal)
	w.Settings[snapshot.RDPDeny] = s.value(terminal, "fDenyTSConnections")
	w.Settings[snapshot.RDPFIPS] = s.value(current+`\Control\Lsa\FipsAlgorithmPolicy`, "Enabled")
	for _, name := range snapshot.RDPSettings {
		w.Settings[name] = s.value(terminal+`\WinStations\RDP-Tcp`, name)
	}
	for _, name := range []string{"fDenyTSConnections", "UserAuthentication", "SecurityLayer", "MinEncryptionLevel", "Shadow"} {
		w.Settings["policy."+name] = s.value(rdpPolicy, name)
	}
	return w
}

func (s *Source) smb() snapshot.WindowsSettings {
	w := snapshot.WindowsSettings{Settings: map[string]snapshot.Fact{}}
	_, w.Read = s.look(lanman)
	for _, name := range snapshot.SMBSettings {
		w.Settings[name] = s.value(lanman, name)
	}
	w.Settings[snapshot.SMBStart] = s.value(services+`\LanmanServer`, "Start")
	w.Settings[snapshot.SMB1Driver] = s.value(services+`\srv`, "Start")
	return w
}

// portproxy reads what netsh interface portproxy forwards. Names of values are ADDRESS/PORT, as are their texts.
func (s *Source) portproxy() snapshot.WindowsPortProxy {
	const key = services + `\PortProxy`
	w := snapshot.WindowsPortProxy{List: []snapshot.WindowsPortRelay{}}
	k, read := s.look(key)
	if w.Read = read; k == nil {
		if _, all := s.look(services); all.State == snapshot.Present && read.State == snapshot.Absent {
			w.Read = snapshot.Fact{State: snapshot.Absent}
		}
		return w
	}
	for _, kind := range []string{"v4tov4", "v4tov6", "v6tov4", "v6tov6"} {
		c, err := registry.Open(k, kind+`\tcp`)
		if errors.Is(err, fs.ErrNotExist) {
			if f := s.lacks(key, kind+`\tcp`); f.State != snapshot.Absent {
				w.Read = f
			}
			continue
		}
		var values []registry.Value
		if err == nil {
			values, err = c.Values()
		}
		if err != nil {
			w.Read = s.why(key, err)
			return w
		}
		for _, v := range values {
			to, _ := v.Text()
			addr, port, ok := slash(v.Name)
			toAddr, toPort, ok2 := slash(to)
			if !ok || !ok2 {
				s.note("portproxy", "%s %.80q is not understood", kind, v.Name+" = "+to)
				continue
			}
			w.List = append(w.List, snapshot.WindowsPortRelay{Kind: kind, Proto: "tcp", Addr: addr, Port: port, ToAddr: toAddr, ToPort: toPort})
		}
	}
	return w
}

// slash divides ADDRESS/PORT.
func slash(text string) (string, int, bool) {
	i := strings.LastIndexByte(text, '/')
	if i <= 0 {
		return "", 0, false
	}
	n, err := strconv.ParseUint(text[i+1:], 10, 16)
	addr := text[:i]
	if a, e := netip.ParseAddr(addr); e == nil {
		addr = a.String()
	}
	return addr, int(n), err == nil
}

// maxServices bounds the services of a host, drivers among them.
const maxServices = 20_000

// services reads the services that are programs.
func (s *Source) services() snapshot.WindowsServices {
	w := snapshot.WindowsServices{List: []snapshot.WindowsService{}}
	k, read := s.look(services)
	if w.Read = read; k == nil {
		w.List = s.Shell.services()
		return w
	}
	if !slices.ContainsFunc(s.Whole, func(r string) bool { return registry.Below(services, r) }) {
		w.Read = snapshot.Fact{State: snapshot.Error, Reason: `HKLM\` + services + ": not all of it was read"}
	}
	names, err := k.Keys()
	if err == nil && len(names) > maxServices {
		err = registry.ErrTooMuch
	}
	if err != nil {
		w.Read = s.why(services, err)
		return w
	}
	root := cmp.Or(s.text(version, "SystemRoot"), `C:\Windows`)
	for _, name := range names {
		c, err := k.Key(name)
		if err != nil {
			s.note("services", "%.100s: %s", name, short(err))
			continue
		}
		sv, ok, err := service(name, c)
		if err != nil {
			s.note("services", "%.100s: %s", name, short(err))
		}
		if ok {
			if file := imageFile(sv.Image, root); file != "" && s.Live != nil && s.Live.File != nil {
				sv.Binary = s.Live.File(file)
			}
			w.List = append(w.List, sv)
		}
	}
	s.Shell.completeServices(w.List)
	return w
}

// imageFile is the program of a service: what is in quotes, or all up to the first .exe. One without a drive is below the directory of Windows, whose
// names in variables and as \SystemRoot are known; "" is none that can be told.
func imageFile(image, root string) string {
	image = strings.TrimSpace(image)
	if rest, ok := strings.CutPrefix(image, `"`); ok {
		image, _, _ = strings.Cut(rest, `"`)
	} else if i := strings.Index(strings.ToLower(image), ".exe"); i >= 0 {
		image = image[:i+4]
	}
	image = strings.TrimPrefix(image, `\??\`)
	for _, name := range []string{`%SystemRoot%\`, `%WinDir%\`, `\SystemRoot\`} {
		if len(image) > len(name) && strings.EqualFold(image[:len(name)], name) {
			return root + `\` + image[len(name):]
		}
	}
	switch {
	case len(image) > 3 && image[1] == ':' && image[2] == '\\' && !strings.Contains(image, "%"):
		return image
	case len(image) > 9 && strings.EqualFold(image[:9], `system32\`):
		return root + `\` + image
	}
	return ""
}

// service reads one; ok says that it is a program and no driver.
func service(name string, k registry.Key) (sv snapshot.WindowsService, ok bool, err error) {
	values, err := k.Values()
	if err != nil {
		return sv, false, err
	}
	unread := snapshot.Fact{State: snapshot.Error, Reason: errNotShown.Error()}
	sv = snapshot.WindowsService{
		Name: name, Start: 3, Security: snapshot.WindowsACL{Read: snapshot.Fact{State: snapshot.Absent}}, Binary: snapshot.WindowsACL{Read: unread},
		Key: snapshot.WindowsACL{Read: unread},
	}
	for _, v := range values {
		n, _ := v.Number()
		text, _ := v.Text()
		switch strings.ToLower(v.Name) {
		case "type":
			sv.Type = int(min(n, 1<<31))
		case "start":
			sv.Start = int(min(n, 1<<31))
		case "objectname":
			sv.Account = text
		case "imagepath":
			sv.Image = text
		case "servicesidtype":
			sv.SIDType = int(min(n, 1<<31))
		case "requiredprivileges":
			sv.Privileges, _ = v.Texts()
		default:
		}
	}
	const program = 0x30 // SERVICE_WIN32_OWN_PROCESS, SERVICE_WIN32_SHARE_PROCESS
	if sv.Type&program == 0 {
		return sv, false, nil
	}
	if p, err := k.Key("Parameters"); err == nil {
		if v, err := registry.Get(p, "ServiceDll"); err == nil {
			sv.DLL, _ = v.Text()
		}
	}
	if p, err := k.Key("Security"); err == nil {
		if v, err := registry.Get(p, "Security"); err == nil {
			sv.Security = descriptor(v.Data)
		}
	}
	if b, err := k.Security(); err == nil && b != nil {
		sv.Key = descriptor(b)
	}
	return sv, true, nil
}

// urls reads the reservations of http.sys.
func (s *Source) urls() ([]snapshot.WindowsURL, snapshot.Fact) {
	const key = services + `\HTTP\Parameters\UrlAclInfo`
	k, read := s.look(key)
	if k == nil {
		return nil, read
	}
	values, err := k.Values()
	if err != nil {
		return nil, s.why(key, err)
	}
	var list []snapshot.WindowsURL
	for _, v := range values {
		if v.Name != "" {
			list = append(list, snapshot.WindowsURL{URL: v.Name, ACL: descriptor(v.Data)})
		}
	}
	slices.SortFunc(list, func(a, b snapshot.WindowsURL) int { return cmp.Compare(a.URL, b.URL) })
	return list, read
}
