package snapshot

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
)

// collectors are the collectors that a snapshot has the coverage of, each once. Snapshots from before there was
// "namespaces", "powers", "system" or "management" lack it: then it did not run, which is an error of that section.
var collectors = []string{
	"agents", "ipmi", "kernel", "listeners", "management", "namespaces", "network", "nftables", "powers", "processes", "runtimes", "ssh", "system", "winrm",
}

// laterCollectors are those that older snapshots lack.
var laterCollectors = []string{"management", "namespaces", "powers", "system"}

// Collectors are the names of the sections of a Linux host, sorted.
func Collectors() []string { return slices.Clone(collectors) }

var (
	sectionStates = []Status{OK, Partial, Denied, Absent, Error}
	factStates    = []Status{Present, Absent, Denied, Error}
	familyStates  = []Status{OK, Absent, Denied, Error}
)

// check refuses what has the shape of a snapshot and cannot be one. What a section has to hold depends on how it was
// seen: one that was denied or failed can be empty, one that is ok or partial holds what every host has.
func (s *Snapshot) check() error {
	for _, f := range []func() error{
		s.checkCoverage, s.checkHost, s.checkNetwork, s.checkListeners, s.checkSSH, s.checkAgents, s.checkProcesses,
		s.checkNFTables, s.checkKernel, s.checkPowers, s.checkElsewhere, s.checkManaged, s.checkFacts, s.checkWindows,
	} {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Snapshot) checkManaged() error {
	for i := range s.Management.Servers {
		if err := oneOf(s.Management.Servers[i].Role, Roles, "management.servers[%d].role", i); err != nil {
			return err
		}
	}
	if rs := s.System.Persisted.Ruleset; rs != nil {
		if err := checkRuleset(rs, "system.persisted.ruleset"); err != nil {
			return err
		}
	}
	for i := range s.System.PersistedMore {
		if rs := s.System.PersistedMore[i].Ruleset; rs != nil {
			if err := checkRuleset(rs, fmt.Sprintf("system.persistedMore[%d].ruleset", i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// wrong is an error at a path, whose verbs stand for indexes and keys.
func wrong(text, path string, args ...any) error {
	return fmt.Errorf(path+": "+strings.ReplaceAll(text, "%", "%%"), args...)
}

// seen says whether the section holds what was seen, if only a part of it.
func (s *Snapshot) seen(section string) bool {
	status := s.Section(section).Status
	return status == OK || status == Partial
}

func oneOf[T ~string](v T, list []T, path string, args ...any) error {
	if slices.Contains(list, v) {
		return nil
	}
	return wrong(fmt.Sprintf("%.40q is none of %s", string(v), vocabulary(list)), path, args...)
}

// vocabulary is the values of a kind in a row.
func vocabulary[T ~string](list []T) string {
	var b strings.Builder
	for i, v := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(v))
	}
	return b.String()
}

func (s *Snapshot) checkCoverage() error {
	found := map[string]bool{}
	known := collectors
	if s.OnWindows() {
		known = []string{windowsSection}
	}
	for i, c := range s.Coverage {
		if err := oneOf(c.Collector, known, "coverage[%d].collector", i); err != nil {
			return err
		}
		if found[c.Collector] {
			return wrong(c.Collector+" is there twice", "coverage[%d].collector", i)
		}
		found[c.Collector] = true
		if err := oneOf(c.Status, sectionStates, "coverage[%d].status", i); err != nil {
			return err
		}
		switch {
		case c.Status == OK && len(c.Reasons) > 0:
			return wrong("ok, with reasons why not", "coverage[%d]", i)
		case c.Status == Absent && c.Collector != "nftables":
			return wrong("absent, which every host has", "coverage[%d].status", i)
		case c.Status != Partial && len(c.Parts) > 0:
			return wrong(string(c.Status)+", with parts", "coverage[%d]", i)
		}
	}
	for _, name := range known {
		if !found[name] && !slices.Contains(laterCollectors, name) {
			return wrong(name+" is missing", "coverage")
		}
	}
	if !found["namespaces"] && len(s.Namespaces) > 0 {
		return wrong("namespaces is missing, and is in the snapshot", "coverage")
	}
	return nil
}

func (s *Snapshot) checkHost() error {
	if set := s.Host.Self.CapEff; set != "" && !capabilities(set) {
		return wrong("not 16 hexadecimal digits", "host.self.capEff")
	}
	return nil
}

// capabilities says whether it is a set as the kernel writes it (proc_pid_status(5)).
func capabilities(set string) bool { return len(set) == 16 && isHex([]byte(set)) }

func (s *Snapshot) checkListeners() error {
	if s.seen("listeners") && len(s.Listeners.Families) == 0 {
		return wrong("empty, although sockets were listed", "listeners.families")
	}
	type family struct {
		netns uint64
		proto string
	}
	listed := map[family]bool{}
	for i, f := range s.Listeners.Families {
		if err := oneOf(f.State, familyStates, "listeners.families[%d].state", i); err != nil {
			return err
		}
		if f.State == OK && f.Reason != "" {
			return wrong("ok, with a reason why not", "listeners.families[%d]", i)
		}
		if err := oneOf(strings.TrimSuffix(f.Proto, "6"), protocols, "listeners.families[%d].proto", i); err != nil {
			return err
		}
		k := family{f.Netns, f.Proto}
		if listed[k] {
			return wrong("the family is there twice", "listeners.families[%d]", i)
		}
		listed[k] = true
	}
	if err := checkCgroups(s.Listeners.Cgroups); err != nil {
		return err
	}
	for i := range s.Listeners.Sockets {
		k := &s.Listeners.Sockets[i]
		if err := checkSocket(k, i); err != nil {
			return err
		}
		if !listed[family{k.Netns, k.Proto}] {
			return wrong("its kind is not among listeners.families", "listeners.sockets[%d]", i)
		}
	}
	for _, proto := range []string{"tcp", "tcp6", "udp", "udp6", "unix"} {
		if own := s.Network.HostNetns(); s.Section("listeners").Status == OK && own != 0 && !listed[family{own, proto}] {
			return wrong(proto+" of the host is missing", "listeners.families")
		}
	}
	return nil
}

var (
	protocols   = []string{"tcp", "udp", "udplite", "sctp", "mptcp", "raw", "packet", "unix", "vsock"}
	ownerStates = []OwnerState{OwnersSeen, OwnersUnknown, OwnersKernel}
)

// maxRelayEnds bounds the places that a relay leads to.
const maxRelayEnds = 256

// checkRelay: a relay leads to addresses and ports, or does not tell.
func checkRelay(r *Relay, i int) error {
	if r == nil || r.Addr == "" && r.Port == 0 && len(r.Also) == 0 {
		return nil
	}
	if r.Addr == "" || len(r.Also) > maxRelayEnds {
		return wrong(fmt.Sprintf("%d further places, of %d at most and beside a first one", len(r.Also), maxRelayEnds), "listeners.sockets[%d].relay", i)
	}
	for _, e := range r.Ends() {
		if _, err := netip.ParseAddr(e.Addr); err != nil || e.Port < 1 || e.Port > 0xffff {
			return wrong("neither an address with a port nor none", "listeners.sockets[%d].relay", i)
		}
	}
	return nil
}

func checkSocket(k *Socket, i int) error {
	if k.GuestPort < 0 || k.GuestPort > 0xffff || k.GuestPort != 0 && k.Proto != "tcp" && k.Proto != "udp" {
		return wrong("no port", "listeners.sockets[%d].guestPort", i)
	}
	if err := oneOf(k.Proto, protocols, "listeners.sockets[%d].proto", i); err != nil {
		return err
	}
	if err := oneOf(k.OwnerState, ownerStates, "listeners.sockets[%d].ownerState", i); err != nil {
		return err
	}
	if (k.OwnerState == OwnersSeen) != (len(k.Owners) > 0) {
		return wrong(fmt.Sprintf("%s, with %d owners", k.OwnerState, len(k.Owners)), "listeners.sockets[%d].ownerState", i)
	}
	for j, o := range k.Owners {
		if o.PID <= 0 {
			return wrong("not above 0", "listeners.sockets[%d].owners[%d].pid", i, j)
		}
	}
	if err := checkRelay(k.Relay, i); err != nil {
		return err
	}
	most := 0xffff
	switch k.Proto {
	case "vsock":
		most = 0xffffffff
	case "unix", "packet":
	default:
		if k.Family != 4 && k.Family != 6 {
			return wrong("neither 4 nor 6", "listeners.sockets[%d].family", i)
		}
		if _, err := netip.ParseAddr(k.Addr); err != nil {
			return wrong("no address", "listeners.sockets[%d].addr", i)
		}
	}
	if k.Port < 0 || k.Port > most {
		return wrong(fmt.Sprintf("not between 0 and %d", most), "listeners.sockets[%d].port", i)
	}
	return nil
}

func (s *Snapshot) checkSSH() error {
	for i := range s.SSH.Configs {
		c := &s.SSH.Configs[i]
		if len(c.Contexts) == 0 {
			return wrong("empty", "ssh.configs[%d].contexts", i)
		}
		for j := range c.Contexts {
			if len(c.Contexts[j].Settings) == 0 {
				return wrong("empty", "ssh.configs[%d].contexts[%d].settings", i, j)
			}
		}
	}
	for i := range s.SSH.Servers {
		if s.SSH.Servers[i].PID < 0 {
			return wrong("below 0", "ssh.servers[%d].pid", i)
		}
	}
	return nil
}

func (s *Snapshot) checkAgents() error {
	if s.seen("agents") && s.Agents.DataDate == "" {
		return wrong("empty, although agents were looked for", "agents.dataDate")
	}
	for i := range s.Agents.Instances {
		if s.Agents.Instances[i].PID <= 0 {
			return wrong("not above 0", "agents.instances[%d].pid", i)
		}
	}
	return nil
}

func (s *Snapshot) checkProcesses() error {
	sec := &s.Processes
	if s.seen("processes") {
		if len(sec.List) == 0 {
			return wrong("empty, although processes were listed", "processes.list")
		}
		if sec.CapBnd != "" && !capabilities(sec.CapBnd) {
			return wrong("not 16 hexadecimal digits", "processes.capBnd")
		}
	}
	pids := make(map[int]bool, len(sec.List))
	for i := range sec.List {
		p := &sec.List[i]
		if p.PID <= 0 || pids[p.PID] {
			return wrong(fmt.Sprintf("%d is not above 0, or is there twice", p.PID), "processes.list[%d].pid", i)
		}
		pids[p.PID] = true
		if p.Seccomp < 0 || p.Seccomp > 2 {
			return wrong("not between 0 and 2", "processes.list[%d].seccomp", i)
		}
		for _, set := range [...]struct{ name, text string }{
			{"capInh", p.CapInh}, {"capPrm", p.CapPrm}, {"capEff", p.CapEff}, {"capBnd", p.CapBnd}, {"capAmb", p.CapAmb},
		} {
			unread := set.text == "" && (len(p.Unread) > 0 || set.name == "capAmb") // which Linux has from 4.3 on
			if !capabilities(set.text) && !unread {
				return wrong("not 16 hexadecimal digits", "processes.list[%d].%s", i, set.name)
			}
		}
	}
	return nil
}

func (s *Snapshot) checkKernel() error {
	if !s.seen("kernel") {
		return nil
	}
	if len(s.Kernel.Sysctls) == 0 {
		return wrong("empty, although the kernel was asked", "kernel.sysctls")
	}
	return holds(s.Kernel.Facts, kernelFacts, "kernel.facts")
}

// kernelFacts are looked for on every host: one that is absent says so.
var kernelFacts = []string{
	"lockdown", "lsm", "ima", "apparmor", "selinux", "cmdline", "moduleSignatures", "modules", "swaps", "smt", "ksm", "secureBoot",
	"ostree", "audit",
}

// holds says which of the facts that a section always has is missing.
func holds(facts map[string]Fact, names []string, path string) error {
	for _, name := range names {
		if _, ok := facts[name]; !ok {
			return fmt.Errorf("%s: %q is missing", path, name)
		}
	}
	return nil
}

// checkFacts looks at every fact of the sections that were seen, whatever holds it.
func (s *Snapshot) checkFacts() error {
	sections := map[string]any{
		"agents": s.Agents, "ipmi": s.IPMI, "kernel": s.Kernel, "network": s.Network, "nftables": s.NFTables,
		"runtimes": s.Runtimes, "winrm": s.WinRM,
	}
	for _, name := range collectors {
		if sec, ok := sections[name]; ok {
			if err := factsIn(reflect.ValueOf(sec), name, s.seen(name)); err != nil {
				return err
			}
		}
	}
	for i := range s.Namespaces {
		e := &s.Namespaces[i]
		if err := factsIn(reflect.ValueOf(e.Network), fmt.Sprintf("namespaces[%d].network", i), e.Status == OK); err != nil {
			return err
		}
	}
	return nil
}

// factsIn looks at the facts in a value. Those of a section that was not seen may be empty.
func factsIn(v reflect.Value, path string, seen bool) error {
	if f, ok := v.Interface().(Fact); ok {
		return f.check(path, seen)
	}
	switch v.Kind() {
	case reflect.Struct:
		for f := range v.Type().Fields() {
			if !holdsFacts(f.Type) {
				continue
			}
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if err := factsIn(v.FieldByIndex(f.Index), path+"."+name, seen); err != nil {
				return err
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if err := factsIn(v.Index(i), fmt.Sprintf("%s[%d]", path, i), seen); err != nil {
				return err
			}
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			if err := factsIn(v.MapIndex(k), path+keyText(k.String()), seen); err != nil {
				return err
			}
		}
	}
	return nil
}

// holdsFacts says whether a field can hold facts. No pointer of the format leads to one.
func holdsFacts(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct:
		if t == reflect.TypeFor[Fact]() {
			return true
		}
		for f := range t.Fields() {
			if holdsFacts(f.Type) {
				return true
			}
		}
	case reflect.Slice, reflect.Map:
		return holdsFacts(t.Elem())
	}
	return false
}

func (f Fact) check(path string, seen bool) error {
	if f == (Fact{}) && !seen {
		return nil
	}
	switch {
	case !slices.Contains(factStates, f.State):
		return fmt.Errorf("%s.state: %.40q is none of %s", path, f.State, vocabulary(factStates))
	case f.State == Present && f.Reason != "":
		return fmt.Errorf("%s: present, with a reason why not", path)
	case f.State != Present && f.Value != "":
		return fmt.Errorf("%s: %s, with a value", path, f.State)
	}
	return nil
}
