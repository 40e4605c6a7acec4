package winhost

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/ringfence/ringfence/registry"
	"github.com/ringfence/ringfence/snapshot"
)

// bytesOf are the bytes of a self-relative security descriptor.
func bytesOf(sd *windows.SECURITY_DESCRIPTOR) []byte {
	return append([]byte{}, unsafe.Slice((*byte)(unsafe.Pointer(sd)), sd.Length())...)
}

// maxTable bounds a table of the kernel, in bytes.
const maxTable = 64 << 20

// liveAdapters asks GetAdaptersAddresses.
func liveAdapters() ([]snapshot.WindowsAdapter, snapshot.Fact) {
	const flags = windows.GAA_FLAG_INCLUDE_GATEWAYS | windows.GAA_FLAG_SKIP_ANYCAST | windows.GAA_FLAG_SKIP_MULTICAST
	size := uint32(64 << 10)
	for size <= maxTable {
		b := make([]byte, size)
		first := (*windows.IpAdapterAddresses)(unsafe.Pointer(&b[0]))
		err := windows.GetAdaptersAddresses(windows.AF_UNSPEC, flags, 0, first, &size)
		if errors.Is(err, windows.ERROR_BUFFER_OVERFLOW) {
			continue // size is what it needs
		}
		if err != nil {
			return nil, liveFact(fmt.Errorf("GetAdaptersAddresses: %w", err))
		}
		list := []snapshot.WindowsAdapter{}
		for a := first; a != nil; a = a.Next {
			if len(list) == maxAdapters {
				return list, liveFact(registry.ErrTooMuch)
			}
			list = append(list, adapterOf(a))
		}
		return list, present
	}
	return nil, liveFact(registry.ErrTooMuch)
}

func adapterOf(a *windows.IpAdapterAddresses) snapshot.WindowsAdapter {
	out := snapshot.WindowsAdapter{
		GUID: strings.ToLower(windows.BytePtrToString(a.AdapterName)), Name: windows.UTF16PtrToString(a.FriendlyName), Description: windows.UTF16PtrToString(a.Description),
		Index: int(max(a.IfIndex, a.Ipv6IfIndex)), LUID: a.Luid, Type: int(a.IfType), Up: a.OperStatus == windows.IfOperStatusUp,
	}
	for u := a.FirstUnicastAddress; u != nil; u = u.Next {
		if ip, ok := netip.AddrFromSlice(u.Address.IP()); ok && int(u.OnLinkPrefixLength) <= ip.Unmap().BitLen() {
			out.Addrs = append(out.Addrs, netip.PrefixFrom(ip.Unmap(), int(u.OnLinkPrefixLength)).String())
		}
	}
	for g := a.FirstGatewayAddress; g != nil; g = g.Next {
		if ip, ok := netip.AddrFromSlice(g.Address.IP()); ok {
			out.Gateways = append(out.Gateways, ip.Unmap().String())
		}
	}
	for d := a.FirstDnsServerAddress; d != nil; d = d.Next {
		if ip, ok := netip.AddrFromSlice(d.Address.IP()); ok {
			out.DNS = append(out.DNS, ip.Unmap().String())
		}
	}
	return out
}

// liveRoutes asks GetIpForwardTable2 for the routes of adapters; there are none where it tells nothing.
func liveRoutes(adapters []snapshot.WindowsAdapter) (list []object) {
	index := map[uint64]int{}
	for i := range adapters {
		index[adapters[i].LUID] = adapters[i].Index
	}
	var t *windows.MibIpForwardTable2
	if err := windows.GetIpForwardTable2(windows.AF_UNSPEC, &t); err != nil || t == nil {
		return nil
	}
	defer windows.FreeMibTable(unsafe.Pointer(t))
	if t.NumEntries > maxLive {
		return nil
	}
	for _, row := range t.Rows() {
		if index[row.InterfaceLuid] == 0 {
			continue
		}
		list = append(list, object{
			"interfaceindex": json.Number(strconv.Itoa(index[row.InterfaceLuid])), "nexthop": addrOf(&row.NextHop).String(),
			"destinationprefix": fmt.Sprintf("%s/%d", addrOf(&row.DestinationPrefix.Prefix), row.DestinationPrefix.PrefixLength),
		})
	}
	return list
}

// addrOf is the address of a SOCKADDR_INET (ws2ipdef.h).
func addrOf(a *windows.RawSockaddrInet) netip.Addr {
	switch a.Family {
	case windows.AF_INET:
		return netip.AddrFrom4((*windows.RawSockaddrInet4)(unsafe.Pointer(a)).Addr)
	case windows.AF_INET6:
		return netip.AddrFrom16((*windows.RawSockaddrInet6)(unsafe.Pointer(a)).Addr)
	}
	return netip.Addr{}
}

// The tables of sockets with their processes (iprtrmib.h, TCP_TABLE_CLASS and UDP_TABLE_CLASS).
const (
	tcpListenersOfProcesses = 3
	udpOfProcesses          = 1
)

// table asks a function of iphlpapi for a table.
func table(name string, family, class uintptr) ([]byte, error) {
	proc := windows.NewLazySystemDLL("iphlpapi.dll").NewProc(name)
	if err := proc.Find(); err != nil {
		return nil, err
	}
	size := uint32(64 << 10)
	for size <= maxTable {
		b := make([]byte, size)
		r, _, _ := proc.Call(uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&size)), 0, family, class, 0)
		switch windows.Errno(r) {
		case 0:
			return b, nil
		case windows.ERROR_INSUFFICIENT_BUFFER:
		default:
			return nil, fmt.Errorf("%s: %w", name, windows.Errno(r))
		}
	}
	return nil, registry.ErrTooMuch
}

// liveListeners are the sockets of both families.
func liveListeners(programs map[int]string) ([]snapshot.WindowsListener, snapshot.Fact) {
	list := []snapshot.WindowsListener{}
	for _, t := range []struct {
		function, proto string
		family          int
		class           uintptr
		parse           func([]byte) ([]snapshot.WindowsListener, error)
	}{
		{"GetExtendedTcpTable", "tcp", windows.AF_INET, tcpListenersOfProcesses, tcp4},
		{"GetExtendedTcpTable", "tcp", windows.AF_INET6, tcpListenersOfProcesses, tcp6},
		{"GetExtendedUdpTable", "udp", windows.AF_INET, udpOfProcesses, udp4},
		{"GetExtendedUdpTable", "udp", windows.AF_INET6, udpOfProcesses, udp6},
	} {
		b, err := table(t.function, uintptr(t.family), t.class)
		var more []snapshot.WindowsListener
		if err == nil {
			more, err = t.parse(b)
		}
		if err != nil {
			return list, liveFact(err)
		}
		list = append(list, more...)
	}
	for i := range list {
		if name := programs[list[i].PID]; name != "" && list[i].PID != 0 {
			list[i].Process, list[i].Path = path.Base(strings.ReplaceAll(name, `\`, "/")), name
			list[i].OwnerState = snapshot.OwnersSeen
			if !strings.Contains(name, `\`) {
				list[i].Path = ""
			}
		}
	}
	return list, present
}

// livePrograms are the files of processes by their ids, or their names where the file is not told.
func livePrograms() (map[int]string, error) {
	out := map[int]string{}
	h, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPPROCESS, 0)
	if err != nil {
		return out, fmt.Errorf("processes: %w", err)
	}
	defer windows.CloseHandle(h) //nolint:errcheck // a handle for reading
	var e windows.ProcessEntry32
	e.Size = uint32(unsafe.Sizeof(e))
	for err = windows.Process32First(h, &e); err == nil; err = windows.Process32Next(h, &e) {
		if len(out) == maxLive {
			return out, registry.ErrTooMuch
		}
		name := windows.UTF16ToString(e.ExeFile[:])
		if file := imageOf(e.ProcessID); file != "" {
			name = file
		}
		out[int(e.ProcessID)] = name
	}
	if !errors.Is(err, windows.ERROR_NO_MORE_FILES) {
		return out, fmt.Errorf("processes: %w", err)
	}
	return out, nil
}

// imageOf is the file of a process, "" where it is not told.
func imageOf(pid uint32) string {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err != nil {
		return ""
	}
	defer windows.CloseHandle(h) //nolint:errcheck // a handle for reading
	b := make([]uint16, 4096)
	n := uint32(len(b))
	if windows.QueryFullProcessImageName(h, 0, &b[0], &n) != nil {
		return ""
	}
	return windows.UTF16ToString(b[:n])
}

// liveProcesses are the processes with their users, as far as their tokens can be opened. Err is why there may be more.
func liveProcesses(programs map[int]string, err error) ([]snapshot.WindowsProcess, snapshot.Fact) {
	if err == nil && len(programs) == 0 {
		err = errors.New("processes were not listed")
	}
	read := present
	if err != nil {
		read = liveFact(err)
	}
	var list []snapshot.WindowsProcess
	for _, pid := range sortedPIDs(programs) {
		name := programs[pid]
		p := snapshot.WindowsProcess{PID: pid, Name: path.Base(strings.ReplaceAll(name, `\`, "/")), Token: present}
		if strings.Contains(name, `\`) {
			p.Path = name
		}
		if err := token(&p); err != nil {
			p.Token = liveFact(err)
		}
		list = append(list, p)
	}
	return list, read
}

// token reads the user and the groups of a process.
func token(p *snapshot.WindowsProcess) error {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(p.PID))
	if err != nil {
		return err
	}
	defer windows.CloseHandle(h) //nolint:errcheck // a handle for reading
	var t windows.Token
	if err := windows.OpenProcessToken(h, windows.TOKEN_QUERY, &t); err != nil {
		return err
	}
	defer t.Close()
	u, err := t.GetTokenUser()
	if err != nil {
		return err
	}
	g, err := t.GetTokenGroups()
	if err != nil {
		return err
	}
	p.User = u.User.Sid.String()
	for _, x := range g.AllGroups() {
		const enabled, logon = windows.SE_GROUP_ENABLED, windows.SE_GROUP_LOGON_ID
		if x.Attributes&enabled != 0 && x.Attributes&logon != logon {
			p.Groups = append(p.Groups, x.Sid.String())
		}
	}
	return nil
}

// partOfServices is the most that the service manager tells at a time, in bytes (MS-SCMR 3.1.4.40).
const partOfServices = 256 << 10

// liveServices are the processes of services, in the words of Win32_Service.
func liveServices() (s Shell, err error) {
	m, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT|windows.SC_MANAGER_ENUMERATE_SERVICE)
	if err != nil {
		return s, fmt.Errorf("OpenSCManager: %w", err)
	}
	defer windows.CloseServiceHandle(m) //nolint:errcheck // a handle for reading
	s.objects = map[shellKind][]object{}
	b, resume := make([]byte, partOfServices), uint32(0)
	for len(s.objects[shellService]) <= maxServices {
		var need, count uint32
		err := windows.EnumServicesStatusEx(m, windows.SC_ENUM_PROCESS_INFO, windows.SERVICE_WIN32, windows.SERVICE_STATE_ALL, &b[0], uint32(len(b)), &need, &count, &resume, nil)
		more := errors.Is(err, windows.ERROR_MORE_DATA) && count > 0
		if err != nil && !more {
			return s, fmt.Errorf("EnumServicesStatusEx: %w", err)
		}
		for _, row := range unsafe.Slice((*windows.ENUM_SERVICE_STATUS_PROCESS)(unsafe.Pointer(&b[0])), count) {
			st := &row.ServiceStatusProcess
			s.objects[shellService] = append(s.objects[shellService], object{
				"name": windows.UTF16PtrToString(row.ServiceName), "processid": json.Number(strconv.FormatUint(uint64(st.ProcessId), 10)),
				"state": json.Number(strconv.FormatUint(uint64(st.CurrentState), 10)),
			})
		}
		if !more {
			return s, nil
		}
	}
	return s, registry.ErrTooMuch
}

func sortedPIDs(m map[int]string) []int {
	list := make([]int, 0, len(m))
	for pid := range m {
		list = append(list, pid)
	}
	slices.Sort(list)
	return list
}
