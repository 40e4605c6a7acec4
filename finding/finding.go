// Package finding is the vocabulary of results, and its types are the specification of the JSON
// that "ringfence audit -f json" prints ("schema": "ringfence.report/v1"). A Report is the whole
// input of every output format.
//
// Every check has one Result whatever came of it. A check fails when it has a finding, is unknown
// when something that it depends on was not seen and nothing failed, and passes only on complete
// evidence. Nothing is counted by subtraction.
package finding

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
)

// Schema names the format and its version.
const Schema = "ringfence.report/v1"

// The states of a result.
const (
	Fail          = "fail"
	Pass          = "pass"
	Unknown       = "unknown"
	NotApplicable = "not_applicable"
	Waived        = "waived"
)

// Severities from high to low.
var Severities = []string{"critical", "high", "medium", "low", "info"}

// Kinds of resources that findings of the program are about. A policy of the user names others in custom.kinds of its METADATA.
var Kinds = []string{
	"account", "agent", "assumption", "bmc", "bridge", "chain", "collector", "command", "console", "container", "device", "file", "filter",
	"firewall", "flow", "forward", "gateway", "group", "host", "interface", "kernel", "key", "memory", "mount", "netns", "nftables",
	"package", "principal", "process", "published", "rule", "server", "service", "socket", "sshd", "sysctl", "table", "threat", "unit",
	"workload",
}

// RemediationKinds are the ways to close a finding that a report and a fix know; a fix acts on nft, sshd, systemd and sysctl.
// Of a Windows host a plan makes rules of winfw, which its own commands load.
var RemediationKinds = []string{"nft", "sshd", "systemd", "sysctl", "winfw", "config", "command", "words"}

// Rank orders severities: 0 is critical; an unknown word is the lowest.
func Rank(severity string) int {
	for i, s := range Severities {
		if s == severity {
			return i
		}
	}
	return len(Severities)
}

// Report is the result of judging one snapshot.
type Report struct {
	Schema   string     `json:"schema"`   // always ringfence.report/v1
	Tool     Tool       `json:"tool"`     // by what was judged
	Host     Host       `json:"host"`     // what was judged
	Snapshot Snapshot   `json:"snapshot"` // what of it was seen
	Coverage []Coverage `json:"coverage"` // how well each part of the host was seen
	Zones    []Zone     `json:"zones"`    // each interface with its zone
	// Containers are those that run; a comparison knows one that was made again by them.
	Containers []Container `json:"containers,omitempty"`
	Exposures  []Exposure  `json:"exposures"` // who reaches what listens
	Forwards   []Forward   `json:"forwards"`  // what the host passes on between its interfaces
	// ForwardsLeftOut names the forwards that are too many to list one by one; the checks judged them like the others.
	ForwardsLeftOut []ForwardsLeftOut `json:"forwardsLeftOut,omitempty"`
	// Answers counts what was found out about the ways of packets.
	Answers *Answers `json:"answers,omitempty"`
	Results []Result `json:"results"` // an entry for each check, whatever came of it
	// Assumptions are what threat models take for granted, held against the host: those of a register, or the ones that the program ships.
	Assumptions []Assumption `json:"assumptions,omitempty"`
	// Carried are findings of the baseline that are not known to be gone, because their checks could not be decided.
	Carried []Carried `json:"carried,omitempty"`
	// Waivers says what came of the file of waivers; none was given where it is not there.
	Waivers *Waivers `json:"waivers,omitempty"`
	// Actions are what to do about what failed, the most urgent first.
	Actions []Action `json:"actions,omitempty"`
	// Inventory is what the threat model has besides the exposures; reports of older programs have none.
	Inventory *Inventory `json:"inventory,omitempty"`
	// Confinement is of the process that judged.
	Confinement *Confinement `json:"confinement,omitempty"`
	// Trust says whether it is known who the snapshot is from; none where the host itself was judged, or nobody asked.
	Trust *Trust `json:"trust,omitempty"`
}

// Confinement says what a process could no longer do before it read anything of the host, as it found by trying.
type Confinement struct {
	NoNewPrivs   bool   `json:"noNewPrivs"`   // no program can give it privileges again
	Capabilities string `json:"capabilities"` // dropped, held
	Landlock     string `json:"landlock"`     // abi N; absent: why
	Seccomp      string `json:"seccomp"`      // filter; absent: why
	Files        string `json:"files"`        // refused, open: whether a file can be opened
	Network      string `json:"network"`      // refused, open: whether a socket can be made
	Programs     string `json:"programs"`     // refused, open: whether one can be executed
}

// Complete says whether all that was tried was refused.
func (c *Confinement) Complete() bool {
	return c.NoNewPrivs && c.Capabilities == "dropped" && c.Files == "refused" && c.Network == "refused" && c.Programs == "refused"
}

// Tool is the program that judged.
type Tool struct {
	Name    string `json:"name"`    // ringfence
	Version string `json:"version"` // of the release, or what the Go tool made of the commit
	// Policies and Config are digests of all policies and of the configuration that it judged by; no configuration has none.
	Policies string `json:"policies,omitempty"`
	Config   string `json:"config,omitempty"` // digest of the configuration, if there was one
}

// Host identifies the machine.
type Host struct {
	Name     string   `json:"name"`               // as the host calls itself
	ID       string   `json:"id,omitempty"`       // its machine id
	OS       string   `json:"os"`                 // name and version of the system
	Kernel   string   `json:"kernel"`             // its release
	Confined []string `json:"confined,omitempty"` // signs that "the host" is a container
	// SeenBy is who collected the snapshot: root, or uid N, which may have held some capabilities of root.
	SeenBy string `json:"seenBy,omitempty"`
	// BootID is of the boot in which it was seen (/proc/sys/kernel/random/boot_id).
	BootID string `json:"bootId,omitempty"`
}

// Snapshot identifies what was judged.
type Snapshot struct {
	Digest      string `json:"digest"`      // SHA-256 of the content of the snapshot
	CollectedAt string `json:"collectedAt"` // when the host was seen (RFC 3339, UTC)
}

// Coverage says how well one collector could see.
type Coverage struct {
	Collector string   `json:"collector"`         // its name
	Status    string   `json:"status"`            // how well it saw its part
	Reasons   []string `json:"reasons,omitempty"` // why it is not all
}

// Zone is an interface or a group of processes with its zone.
type Zone struct {
	Name   string `json:"name"`   // of the interface
	Zone   string `json:"zone"`   // the zone that it is in
	Reason string `json:"reason"` // why it is in that zone
}

// Container is a container that runs.
type Container struct {
	Name    string `json:"name"`              // as keys of findings have it: its name, or the first 12 digits of its id
	Image   string `json:"image,omitempty"`   // as its specification says
	Network string `json:"network,omitempty"` // host, none, or the prefixes of the bridge that it is behind
	Command string `json:"command,omitempty"` // name of its first process
}

// Service is a listening socket.
type Service struct {
	Proto     string `json:"proto"`            // tcp, udp and other names of protocols
	Address   string `json:"address"`          // the address that it listens at; 0.0.0.0 and :: are all
	Port      int    `json:"port"`             // the port that it listens at
	Device    string `json:"device,omitempty"` // the interface that it is bound to
	Owner     string `json:"owner"`            // program, container or unit; "unknown"
	Namespace string `json:"namespace"`        // the network namespace that it listens in; host is that of the host
}

// Exposure is whether a zone reaches a service.
type Exposure struct {
	Service   Service `json:"service"`             // what listens
	Zone      string  `json:"zone"`                // where packets come from
	Origin    string  `json:"origin"`              // interface, or "local"
	Family    string  `json:"family"`              // ipv4, ipv6
	Verdict   string  `json:"verdict"`             // whether it is reached
	Witness   string  `json:"witness,omitempty"`   // a packet that arrives
	StoppedBy []Cause `json:"stoppedBy,omitempty"` // what stops it, if it is unreachable
	Because   []Cause `json:"because,omitempty"`   // what would decide it, if it is unknown
	// Also are other origins of the zone with the same answer, but for the witness: a report of very many exposures lists these together.
	Also []string `json:"also,omitempty"`
	// Checked says that the witness was followed by the second engine, or that the certificate held.
	Checked bool `json:"checked,omitempty"`
	// Conditions are how the traffic before has to have left limits and the like for the witness to arrive.
	Conditions []Condition `json:"conditions,omitempty"`
}

// Forward is whether a zone reaches another through the host.
type Forward struct {
	From      string  `json:"from"`                // the interface that packets come in by
	FromZone  string  `json:"fromZone"`            // the zone of that interface
	To        string  `json:"to"`                  // the interface that they leave by
	ToZone    string  `json:"toZone"`              // the zone of that interface
	Family    string  `json:"family"`              // ipv4 or ipv6
	Verdict   string  `json:"verdict"`             // whether they pass
	Witness   string  `json:"witness,omitempty"`   // a packet that passes
	StoppedBy []Cause `json:"stoppedBy,omitempty"` // what stops them, if none passes
	Because   []Cause `json:"because,omitempty"`   // what would decide it, if it is unknown
	// Conditions are how the traffic before has to have left limits and the like for the witness to arrive.
	Conditions []Condition `json:"conditions,omitempty"`
}

// Answers counts the answers about exposures, forwards and other ways of packets. Each that is not unknown was checked: a
// reachable one by following its witness, an unreachable one by its certificate.
type Answers struct {
	Reachable   int `json:"reachable"`   // questions that were answered with a packet
	Unreachable int `json:"unreachable"` // questions that were answered with a proof
	Unknown     int `json:"unknown"`     // questions that were left open
	// Unconfirmed are those of the unknown ones for which the packet model had an answer that was not borne out.
	Unconfirmed int `json:"unconfirmed"`
}

// ForwardsLeftOut is forwards of one family from one interface that came to the same verdict.
type ForwardsLeftOut struct {
	From    string   `json:"from"`    // the interface that packets come in by
	Family  string   `json:"family"`  // ipv4 or ipv6
	Verdict string   `json:"verdict"` // the answer, the same for all of them
	To      []string `json:"to"`      // the interfaces that they leave by
}

// Cause names a rule, a policy or another reason that decided, or stands in the way of deciding.
type Cause struct {
	Where string `json:"where,omitempty"` // family table/chain#handle
	Text  string `json:"text"`            // in words
}

// Condition is a limit, or another part of a rule that the traffic before a packet decides, and how that has to have left it.
type Condition struct {
	Where string `json:"where,omitempty"` // family table/chain#handle
	Text  string `json:"text"`            // in words
	State string `json:"state"`           // at rest, used up, by chance, as sent, at times, entered
}

// String is the condition with its place.
func (c Condition) String() string {
	if c.Where == "" {
		return c.Text
	}
	return c.Text + " (" + c.Where + ")"
}

// Result is what came of one check.
type Result struct {
	ID          string     `json:"id"`                 // area and name of the check
	Status      string     `json:"status"`             // what came of it
	Severity    string     `json:"severity"`           // the highest of its findings, else that of the check
	Title       string     `json:"title"`              // what is wrong where it fails
	Description string     `json:"description"`        // what that means
	Reason      string     `json:"reason,omitempty"`   // why unknown, not applicable or waived; of a failed one, what was not seen
	Remediation string     `json:"remediation"`        // what to do in general
	References  References `json:"references"`         // what others say of it
	Findings    []Finding  `json:"findings,omitzero"`  // what is wrong here
	Unknowns    []Unclear  `json:"unknowns,omitempty"` // what could not be decided here
	// Under are the assumptions that it rests on: it passes only while they hold.
	Under []Under `json:"under,omitempty"`
	// Waiver is who accepted it that the answer is not known.
	Waiver *Waiver `json:"waiver,omitempty"`
}

// Carried is a finding of an earlier report.
type Carried struct {
	Check   string  `json:"check"`   // the check that found it
	Finding Finding `json:"finding"` // as it was found
}

// References maps a check to other catalogues.
type References struct {
	CIS    []string `json:"cis,omitempty"`    // recommendations of the Center for Internet Security
	NIST   []string `json:"nist,omitempty"`   // controls of NIST SP 800-53
	ATTACK []string `json:"attack,omitempty"` // techniques of MITRE ATT&CK
	CWE    []string `json:"cwe,omitempty"`    // weaknesses
	CVE    []string `json:"cve,omitempty"`    // vulnerabilities
	URLs   []string `json:"urls,omitempty"`   // pages to read
}

// Resource is what a finding is about. The key is stable: it has no pid, inode or rule handle.
type Resource struct {
	Kind string `json:"kind"`           // what kind of thing it is
	Key  string `json:"key"`            // its name, which stays from one audit to the next
	Path string `json:"path,omitempty"` // of a file on the host, where there is one
}

// Unclear is something that a check could not decide.
type Unclear struct {
	Resource Resource `json:"resource"` // what it is about
	Reason   string   `json:"reason"`   // why it could not be decided
}

// Finding is one problem.
type Finding struct {
	Resource    Resource      `json:"resource"`             // what it is about
	Message     string        `json:"message"`              // the consequence
	Severity    string        `json:"severity"`             // how bad it is here
	Zone        string        `json:"zone,omitempty"`       // where it is reached from
	Zones       []string      `json:"zones,omitempty"`      // all that it is about, if there are more
	Evidence    []string      `json:"evidence"`             // what was seen
	Witness     string        `json:"witness,omitempty"`    // a packet that shows it
	Conditions  []Condition   `json:"conditions,omitempty"` // for the witness to arrive
	Steps       []string      `json:"steps,omitempty"`      // from whom to what: a path of principals
	Remediation []Remediation `json:"remediation"`          // what closes it
	Follows     []Source      `json:"follows,omitempty"`    // the findings that it is a consequence of: it ends with all of them
	Beside      string        `json:"beside,omitempty"`     // what to change beside what those say, where that does not end it
	Fingerprint string        `json:"fingerprint"`          // the same for the same finding in every audit of the host
	// Waiver is who accepted it, until when; a finding whose waiver holds does not count.
	Waiver *Waiver `json:"waiver,omitempty"`
}

// Source names a finding by its check and the key of its object.
type Source struct {
	Check string `json:"check"` // of the other finding
	Key   string `json:"key"`   // the key of its resource
}

// Remediation is one way to close a finding.
type Remediation struct {
	Kind string `json:"kind"` // one of RemediationKinds
	Text string `json:"text"` // what to type, to put into a file, or to do
	// Deny is the flow that a packet filter closes; set where Kind is nft or winfw.
	Deny *Deny `json:"deny,omitempty"`
	// Zones are those that it keeps out, where it is done in the same way for each: the text names them last.
	Zones []string `json:"zones,omitempty"`
	// Settings are what to set, where Kind is sysctl or sshd: a fix writes them into a file.
	Settings Settings `json:"settings,omitempty"`
}

// Deny names packets to drop: from a zone to a port of the host, or to another zone through it.
type Deny struct {
	Zone   string `json:"zone"`             // where packets come from
	Proto  string `json:"proto,omitempty"`  // of the packets, none for all
	Port   int    `json:"port,omitempty"`   // that they go to, 0 for all
	ToZone string `json:"toZone,omitempty"` // where they go, through the host
	// Addr is the address of the host that the listener is bound to, "" where it takes packets for all of them; Family is 4 or 6
	// where it takes one family alone, and Device the interface that it is bound to.
	Addr   string `json:"addr,omitempty"`
	Family int    `json:"family,omitempty"` // 4 or 6, 0 for both
	Device string `json:"device,omitempty"` // the interface that they come in by
}

// Counts counts results by status, and findings of failed results by severity.
type Counts struct {
	Fail, Pass, Unknown, NotApplicable, Waived int
	// Accepted are those of the unknown ones that were accepted so.
	Accepted int
	Findings map[string]int
}

// Count counts.
func (r *Report) Count() Counts {
	c := Counts{Findings: map[string]int{}}
	for i := range r.Results {
		switch r.Results[i].Status {
		case Fail:
			c.Fail++
			for _, f := range r.Results[i].Findings {
				if f.Waiver.Holds() {
					c.Waived++
				} else {
					c.Findings[f.Severity]++
				}
			}
		case Pass:
			c.Pass++
		case Unknown:
			c.Unknown++
			if r.Results[i].Waiver.Holds() {
				c.Accepted++
			}
			c.Waived += len(r.Results[i].Findings) // all accepted, else the check has failed
		case Waived:
			c.Waived += max(1, len(r.Results[i].Findings))
		default:
			c.NotApplicable++
		}
	}
	return c
}

// Open is a question that a report leaves open: a check that is unknown, something that one could not decide beside what it found, or that a
// check which failed did not see all.
type Open struct {
	Check    string `json:"check"`    // that left it open
	Severity string `json:"severity"` // of the check
	// Resource is what the question is about; none if it is the check as a whole.
	Resource *Resource `json:"resource,omitempty"`
	Reason   string    `json:"reason"` // why it is open
}

// Open are the questions that a report leaves open. What was left out by the configuration, or does not apply, is none.
func (r *Report) Open() []Open {
	var list []Open
	for i := range r.Results {
		res := &r.Results[i]
		if res.Status != Unknown && res.Status != Fail {
			continue
		}
		for j := range res.Unknowns {
			list = append(list, Open{res.ID, res.Severity, &res.Unknowns[j].Resource, res.Unknowns[j].Reason})
		}
		if res.Status == Unknown && len(res.Unknowns) == 0 || res.Status == Fail && res.Reason != "" {
			list = append(list, Open{res.ID, res.Severity, nil, res.Reason})
		}
	}
	return list
}

// Undecided counts the checks that leave a question open.
func (r *Report) Undecided() int {
	checks := map[string]bool{}
	for _, o := range r.Open() {
		checks[o.Check] = true
	}
	for i := range r.Results { // what was accepted so
		if r.Results[i].Waiver.Holds() {
			delete(checks, r.Results[i].ID)
		}
	}
	return len(checks)
}

// everyAddress is how the key of a service begins that listens on all addresses of a family.
var everyAddress = regexp.MustCompile(`^([a-z]+) (?:0\.0\.0\.0|\[::\])([%:])`)

// eitherFamily is the key of a service without the family of all addresses.
func eitherFamily(key string) string { return everyAddress.ReplaceAllString(key, "$1 *$2") }

// Fingerprint identifies a finding over audits: by its check and what it is about. A program that listens on a port of every address has one service
// there, by whichever of IPv4 and IPv6.
func Fingerprint(check string, r Resource) string {
	if r.Kind == "service" {
		r.Key = eitherFamily(r.Key)
	}
	sum := sha256.Sum256([]byte(check + "\x00" + r.Kind + "\x00" + r.Key))
	return hex.EncodeToString(sum[:])
}

// Worst is the highest severity among the findings of failed results, "" where nothing failed.
func (r *Report) Worst() string {
	worst := ""
	for i := range r.Results {
		if r.Results[i].Status != Fail {
			continue
		}
		for _, f := range r.Results[i].Findings {
			if f.Waiver.Holds() {
				continue
			}
			if worst == "" || Rank(f.Severity) < Rank(worst) {
				worst = f.Severity
			}
		}
	}
	return worst
}
