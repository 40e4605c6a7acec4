//go:build linux && !ringfence_portable

package checks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// collectIPMI looks for a baseboard management controller and reads how it is set up. It asks only
// (Get commands of the IPMI 2.0 specification); it changes nothing.
func collectIPMI(_ context.Context, s *Scan, snap *snapshot.Snapshot) *Outcome {
	out := new(Outcome)
	sec := &snap.IPMI
	sec.Devices = s.ipmiDevices(out)
	sec.SysFS = s.listFact("/sys/class/ipmi")
	sec.SMBIOS = s.smbiosFact()
	for _, f := range []snapshot.Fact{sec.SysFS, sec.SMBIOS} {
		if f.State == snapshot.Denied || f.State == snapshot.Error {
			out.partial("BMC presence: %s", f.Reason)
		}
	}
	sec.BMCRead = snapshot.Fact{State: snapshot.Absent, Reason: "no IPMI device file"}
	if len(sec.Devices) == 0 {
		if sec.SMBIOS.State == snapshot.Present && sec.SMBIOS.Value != "" {
			out.partial("the firmware tables name a BMC, but no driver gives access to it " +
				"(modprobe ipmi_devintf ipmi_si)")
		}
		return out
	}
	dev, err := s.Host.OpenDevice(sec.Devices[0].Path)
	if err != nil {
		sec.BMCRead = toFact("", err)
		if !errors.Is(err, host.ErrNotLive) {
			out.partial("ask the BMC: %v", err)
		}
		return out
	}
	defer dev.Close()
	c := &ipmiConn{dev: dev, timeout: 2 * time.Second}
	sec.BMC, err = readBMC(c)
	sec.BMCRead = toFact("read", err)
	switch {
	case err != nil:
		out.partial("ask the BMC: %v", err)
	case len(sec.BMC.Unread) > 0:
		out.partial("the BMC did not answer: %s", strings.Join(sec.BMC.Unread, ", "))
	}
	return out
}

func (s *Scan) listFact(dir string) snapshot.Fact {
	names, err := s.Host.ReadDir(dir)
	f := toFact(strings.Join(names, " "), err)
	if f.State == snapshot.Present && f.Value == "" {
		f.State = snapshot.Absent
	}
	return f
}

// smbiosFact looks for record type 38 (IPMI Device Information) in the SMBIOS tables, which name a
// BMC also where no driver is loaded (DMTF DSP0134).
func (s *Scan) smbiosFact() snapshot.Fact {
	b, err := s.Host.ReadFile("/sys/firmware/dmi/tables/DMI")
	if err != nil {
		return toFact("", err)
	}
	for len(b) >= 4 {
		kind, n := b[0], int(b[1])
		if n < 4 || n > len(b) {
			break
		}
		if kind == 38 {
			return present("record type 38")
		}
		end := bytes.Index(b[n:], []byte{0, 0})
		if kind == 127 || end < 0 {
			break
		}
		b = b[n+end+2:]
	}
	return snapshot.Fact{State: snapshot.Absent}
}

// ipmiDevices lists the device files, who can open them, and the containers that have a node with
// the same device number.
func (s *Scan) ipmiDevices(out *Outcome) []snapshot.DeviceFile {
	var paths []string
	for _, pattern := range []string{"/dev/ipmi[0-9]*", "/dev/ipmi/[0-9]*", "/dev/ipmidev/[0-9]*"} {
		found, more := s.Host.Glob(pattern)
		if more {
			out.partial("devices at %s: not every name was read", pattern)
		}
		paths = append(paths, found...)
	}
	var devs []snapshot.DeviceFile
	for _, p := range paths {
		st, err := s.Host.Stat(p)
		if err != nil || st.Mode&fs.ModeDevice == 0 && s.Host.Live() {
			continue
		}
		d := snapshot.DeviceFile{Path: p, Mode: st.Perm, UID: st.UID, GID: st.GID}
		for _, g := range s.groups() {
			if g.gid == st.GID {
				d.Group = g.name
				if st.Perm&0o060 != 0 {
					d.Members = g.members
				}
			}
		}
		seen := map[string]bool{}
		procs, _ := s.processes()
		for _, pr := range procs {
			if pr.Container == "" || seen[pr.Container] {
				continue
			}
			in, err := s.Host.StatIn(pr.PID, "/dev/"+filepath.Base(p))
			if err == nil && in.Rdev == st.Rdev && st.Rdev != 0 {
				seen[pr.Container] = true
			} else if err != nil && denied(err) {
				out.partial("devices of container %.12s: %v", pr.Container, err)
			}
		}
		d.Containers = sortedKeys(seen)
		devs = append(devs, d)
	}
	return devs
}

var (
	accessModes = []string{"disabled", "pre-boot", "always", "shared"}
	privileges  = []string{"unused", "callback", "user", "operator", "administrator", "oem"}
	authTypes   = []string{"none", "md2", "md5", "", "password", "oem"}
)

func name(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return fmt.Sprintf("code %d", i)
}

// readBMC asks the controller. What it refuses is listed in Unread.
func readBMC(c *ipmiConn) (*snapshot.BMC, error) {
	id, err := c.ask(0x06, 0x01) // Get Device ID
	if err != nil {
		return nil, err
	}
	if len(id) < 9 {
		return nil, fmt.Errorf("device id: %w", errShort)
	}
	b := &snapshot.BMC{
		Firmware:     fmt.Sprintf("%d.%02x", id[2]&0x7f, id[3]),
		Manufacturer: uint32(id[6]) | uint32(id[7])<<8 | uint32(id[8])<<16,
	}
	for ch := byte(1); ch <= 0x0b; ch++ { // Get Channel Info; medium 4 is 802.3 LAN
		info, err := c.ask(0x06, 0x42, ch)
		if err == nil && len(info) >= 2 && info[1]&0x7f == 4 {
			b.LANChannel = int(ch)
			break
		}
	}
	if b.LANChannel == 0 {
		b.Unread = append(b.Unread, "LAN channel")
		return b, nil
	}
	readChannel(c, b)
	readLAN(c, b)
	readUsers(c, b)
	return b, nil
}

func readChannel(c *ipmiConn, b *snapshot.BMC) {
	ch := byte(b.LANChannel)
	if a, err := c.ask(0x06, 0x41, ch, 0x80); err == nil && len(a) >= 1 { // Get Channel Access, active
		b.AccessMode = name(accessModes, int(a[0]&7))
		b.UserLevelAuth = a[0]&0x08 == 0
		b.PerMessageAuth = a[0]&0x10 == 0
	} else {
		b.Unread = append(b.Unread, "channel access")
	}
	// Get Channel Authentication Capabilities, for the administrator level. Some controllers answer
	// it on the LAN only; the LAN parameters and the users say the same then.
	if a, err := c.ask(0x06, 0x38, ch, 4); err == nil && len(a) >= 3 {
		b.AuthTypes = authNames(a[1])
		b.Anonymous, b.NullUsers = a[2]&1 != 0, a[2]&2 != 0
	}
}

func authNames(bits byte) []string {
	var list []string
	for i, n := range authTypes {
		if bits&(1<<i) != 0 && n != "" {
			list = append(list, n)
		}
	}
	return list
}

// readLAN reads LAN configuration parameters (table 23-4): 2 authentication types enabled for each
// privilege, 3 address, 5 MAC, 16 community, 22 to 24 cipher suites and their privilege levels.
func readLAN(c *ipmiConn, b *snapshot.BMC) {
	get := func(param byte, n int, what string) []byte {
		v, err := c.ask(0x0c, 0x02, byte(b.LANChannel), param, 0, 0)
		if err != nil || len(v) < 1+n {
			b.Unread = append(b.Unread, what)
			return nil
		}
		return v[1:]
	}
	if v := get(2, 5, "authentication types"); v != nil {
		for _, n := range authNames(v[0] | v[1] | v[2] | v[3] | v[4]) {
			if !slices.Contains(b.AuthTypes, n) {
				b.AuthTypes = append(b.AuthTypes, n)
			}
		}
	}
	if v := get(3, 4, "LAN address"); v != nil {
		b.Address = fmt.Sprintf("%d.%d.%d.%d", v[0], v[1], v[2], v[3])
	}
	if v := get(5, 6, "LAN MAC"); v != nil {
		b.MAC = fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", v[0], v[1], v[2], v[3], v[4], v[5])
	}
	if v := get(16, 1, "SNMP community"); v != nil {
		b.Community = "other"
		if c := string(bytes.TrimRight(v, "\x00")); c == "public" || c == "private" || c == "" {
			b.Community = c // a guessable one is no secret
		}
	}
	suites := get(22, 1, "cipher suite count")
	levels := get(24, 9, "cipher suite privileges")
	list := get(23, 2, "cipher suite list")
	if suites == nil || levels == nil || list == nil {
		return
	}
	b.CipherSuite0 = name(privileges, suiteZero(int(suites[0]&0x1f), list[1:], levels[1:]))
}

// suiteZero is the highest privilege that cipher suite 0 logs in with; 0 is unused. The levels stand
// in the order of the list of suites. Some controllers leave suite 0 out of the list, accept it all
// the same and keep the levels by suite number: then the level behind the last one in the list is
// set, too.
func suiteZero(count int, list, levels []byte) int {
	level := func(i int) int {
		if i/2 >= len(levels) {
			return 0
		}
		return int(levels[i/2] >> (4 * (i % 2)) & 0xf)
	}
	count = min(count, 16, len(list))
	for i := range count {
		if list[i] == 0 {
			return level(i)
		}
	}
	if count < 16 && level(count) != 0 {
		return level(0)
	}
	return 0
}

func readUsers(c *ipmiConn, b *snapshot.BMC) {
	first, err := c.ask(0x06, 0x44, byte(b.LANChannel), 1) // Get User Access
	if err != nil || len(first) < 4 {
		b.Unread = append(b.Unread, "users")
		return
	}
	for id := byte(1); id <= first[0]&0x3f && id < 64; id++ {
		a, err := c.ask(0x06, 0x44, byte(b.LANChannel), id)
		if err != nil || len(a) < 4 {
			continue
		}
		// Bits 7:6 of byte 2 say whether the user is enabled (2: disabled); firmware before IPMI 2.0
		// leaves them 0, where only the privilege limit tells (0fh: no access).
		level := int(a[3] & 0xf)
		if a[1]>>6 == 2 || level == 0xf || level == 0 {
			continue
		}
		n, err := c.ask(0x06, 0x46, id) // Get User Name
		user := "?"
		if err == nil {
			user = string(bytes.TrimRight(n, "\x00"))
		}
		// User 1 has no name by definition (22.28), and some controllers refuse to say so.
		if id == 1 && (err != nil || user == "") {
			b.Anonymous, user = true, ""
		}
		b.Users = append(b.Users, fmt.Sprintf("%d:%s:%s", id, user, name(privileges, level)))
	}
}

var errShort = errors.New("the answer is too short")

// completion is an IPMI completion code other than success (table 5-2).
type completion byte

func (c completion) Error() string { return fmt.Sprintf("completion code %02xh", byte(c)) }
