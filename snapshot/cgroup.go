package snapshot

import (
	"net/netip"
	"slices"
)

// Cgroup is a cgroup of the unified hierarchy that sockets or processes are in.
type Cgroup struct {
	ID uint64 `json:"id"` // its inode, as the kernel tells it of sockets
	// Path is as the processes in it are told it (cgroups(7)); empty is not known.
	Path string `json:"path,omitempty"`
	// Above are the cgroups that it is in, from the root on; none is not known.
	Above []uint64 `json:"above,omitempty"`
	// Gets and Sends are the programs that see what its sockets get and send (BPF_CGROUP_INET_INGRESS and EGRESS), also those of cgroups above.
	Gets  []CgroupProgram `json:"gets,omitempty"`
	Sends []CgroupProgram `json:"sends,omitempty"` // the programs that see what its sockets send; one without an id stands for those that were not told
	// Steers are the names of those that are asked where its sockets send to, and can say another place (BPF_CGROUP_INET4_CONNECT and its like).
	Steers []string `json:"steers,omitempty"`
}

// CgroupProgram is a program that lets packets pass or drops them. All of those of a cgroup have to let one pass.
type CgroupProgram struct {
	Name string `json:"name"` // that its loader gave it, or words for one that has none or is not told
	// ID is that by which the kernel knows it until it is gone, 0 where that is not told; Tag is by its instructions.
	ID  uint32 `json:"id,omitempty"`
	Tag string `json:"tag,omitempty"` // by its instructions, 16 hexadecimal digits; empty is not told
	// Addresses is all that it goes by, of one that is known; nil is a program of which only the name is.
	Addresses *AddressFilter `json:"addresses,omitempty"`
}

// AddressFilter is what systemd makes of IPAddressAllow= and IPAddressDeny= (systemd.resource-control(5)): an address passes that is allowed, or
// not denied. It is that of the other end.
type AddressFilter struct {
	Deny  []netip.Prefix `json:"deny,omitempty"`  // prefixes of IPAddressDeny=
	Allow []netip.Prefix `json:"allow,omitempty"` // prefixes of IPAddressAllow=
}

// Passes says whether packets from or to an address pass.
func (f *AddressFilter) Passes(a netip.Addr) bool {
	has := func(p netip.Prefix) bool { return p.Contains(a) }
	return slices.ContainsFunc(f.Allow, has) || !slices.ContainsFunc(f.Deny, has)
}

// UnknownPrograms are the names of those of which nothing else is known.
func UnknownPrograms(list []CgroupProgram) (names []string) {
	for _, p := range list {
		if p.Addresses == nil && !slices.Contains(names, p.Name) {
			names = append(names, p.Name)
		}
	}
	return names
}

// Prefixes are all that filters of a list go by.
func Prefixes(list []CgroupProgram) (out []netip.Prefix) {
	for _, p := range list {
		if p.Addresses != nil {
			out = append(append(out, p.Addresses.Deny...), p.Addresses.Allow...)
		}
	}
	return out
}

// Cgroup is the one with an id, or nil.
func (l *Listeners) Cgroup(id uint64) *Cgroup {
	if i, ok := slices.BinarySearchFunc(l.Cgroups, id, byCgroup); ok && id != 0 {
		return &l.Cgroups[i]
	}
	return nil
}

func byCgroup(c Cgroup, id uint64) int {
	switch {
	case c.ID < id:
		return -1
	case c.ID > id:
		return 1
	}
	return 0
}

// CgroupAt is the one at a path, or nil.
func (l *Listeners) CgroupAt(path string) *Cgroup {
	i := slices.IndexFunc(l.Cgroups, func(c Cgroup) bool { return c.Path == path })
	if i < 0 || path == "" {
		return nil
	}
	return &l.Cgroups[i]
}

// Gate is who gets through to a socket: the programs that see what it gets, and what it sends. Sockets that share its port (SO_REUSEPORT) take
// turns with it: if others see what those get, unsure says so.
func (l *Listeners) Gate(sk *Socket) (gets, sends []CgroupProgram, unsure bool) {
	if !slices.ContainsFunc(l.Cgroups, func(c Cgroup) bool { return len(c.Gets)+len(c.Sends) > 0 }) {
		return nil, nil, false // of many sockets the others are not gone through
	}
	programs := func(id uint64) (gets, sends []CgroupProgram) {
		if c := l.Cgroup(id); c != nil {
			return c.Gets, c.Sends
		}
		return nil, nil
	}
	gets, sends = programs(sk.Cgroup)
	for i := range l.Sockets {
		o := &l.Sockets[i]
		if o.Cgroup == sk.Cgroup || o.Port != sk.Port || o.Netns != sk.Netns || o.Proto != sk.Proto || o.Addr != sk.Addr || o.Device != sk.Device {
			continue
		}
		g, s := programs(o.Cgroup)
		unsure = unsure || !alike(g, gets) || !alike(s, sends) || !slices.Equal(o.Programs, sk.Programs)
	}
	return gets, sends, unsure
}

// Sending are the programs that see what a process in a cgroup sends, and those that are asked where. Of a process whose cgroup is not known
// they are those of all.
func (l *Listeners) Sending(path string) (sends []CgroupProgram, steers []string) {
	c := l.CgroupAt(path)
	if path == "" {
		c = l.Cgroup(rootCgroup)
	}
	switch {
	case c != nil:
		return c.Sends, c.Steers
	case path != "" && (len(l.Cgroups) > 0 || l.CgroupsUnread != ""):
		return []CgroupProgram{{Name: "whatever the cgroup " + path + " has"}}, nil
	}
	return nil, nil
}

// rootCgroup is the inode of the root of the hierarchy.
const rootCgroup = 1

// Stopper is the name of a program that does not let packets from or to an address pass, or empty.
func Stopper(list []CgroupProgram, a netip.Addr) string {
	for _, p := range list {
		if p.Addresses != nil && !p.Addresses.Passes(a) {
			return p.Name
		}
	}
	return ""
}

func alike(a, b []CgroupProgram) bool {
	return slices.EqualFunc(a, b, func(x, y CgroupProgram) bool {
		return x.Name == y.Name && (x.Addresses != nil || x.ID == y.ID) && (x.Addresses == nil) == (y.Addresses == nil) &&
			(x.Addresses == nil || slices.Equal(x.Addresses.Deny, y.Addresses.Deny) && slices.Equal(x.Addresses.Allow, y.Addresses.Allow))
	})
}

// At is the cgroup at a level on the way to it; 0 where it is not as deep, and known is false where the way is not.
func (c *Cgroup) At(level uint32) (id uint64, known bool) {
	if c == nil || len(c.Above) == 0 {
		return 0, false
	}
	switch n := int64(len(c.Above)); {
	case int64(level) < n:
		return c.Above[level], true
	case int64(level) == n:
		return c.ID, true
	}
	return 0, true
}

// checkCgroups wants them in the order of their ids, each once.
func checkCgroups(list []Cgroup) error {
	for i := range list {
		c := &list[i]
		if c.ID == 0 || i > 0 && list[i-1].ID >= c.ID {
			return wrong("0, or not in order", "listeners.cgroups[%d].id", i)
		}
		for field, programs := range map[string][]CgroupProgram{"gets": c.Gets, "sends": c.Sends} {
			for j, p := range Prefixes(programs) {
				if !p.IsValid() || p != p.Masked() {
					return wrong("no prefix", "listeners.cgroups[%d].%s: address %d", i, field, j)
				}
			}
		}
	}
	return nil
}
