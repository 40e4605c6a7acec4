//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringfence/ringfence/rego"
	"github.com/ringfence/ringfence/snapshot"
)

// pattern is one row of the data file.
type pattern struct {
	Name  string   `json:"name"`
	Title string   `json:"title"`
	Kind  string   `json:"kind"`
	Comm  []string `json:"comm"`
	Exe   []string `json:"exe"`
	Args  []string `json:"args"`
	// ArgsEnv is what it shows in as in Args, if a variable has a value.
	ArgsEnv []struct {
		Args string `json:"args"`
		Env  string `json:"env"`
		re   argPattern
	} `json:"argsEnv"`
	Ports      []int  `json:"ports"`
	Auth       string `json:"auth"`
	AuthArgs   string `json:"authArgs"`
	NoAuthArgs string `json:"noAuthArgs"`
	// The environment: AuthEnv are variables that ask for a secret if they have a value, NoAuthEnv those that switch authentication off if
	// they have one, NoAuthUnless those that do if they have another one than that, AuthWhen those that ask if they have that one.
	AuthEnv      []string          `json:"authEnv"`
	NoAuthEnv    []string          `json:"noAuthEnv"`
	NoAuthUnless map[string]string `json:"noAuthUnless"`
	AuthWhen     map[string]string `json:"authWhen"`
	// AuthOf is how it authenticates with a key, if not by a token for everything; AuthConfig are options that name a file which can
	// hold the key.
	AuthOf string `json:"authOf"`
	// Serves is a pattern of what it runs with that has others connect to it, and ServesNot of what does not: else it is a program at a terminal.
	Serves    string `json:"serves"`
	ServesNot string `json:"servesNot"`
	// Wraps says that what follows "--" is another program's, with options of its own.
	Wraps      bool   `json:"wraps"`
	AuthConfig string `json:"authConfig"`
	// AuthBefore is how versions before AuthSince ask by default.
	AuthBefore string `json:"authBefore"`
	AuthSince  string `json:"authSince"`
	Floor      string `json:"floor"`
	FloorWhy   string `json:"floorWhy"`
	// Package is its package of npm, Python that of Python: its version is beside the program.
	Package string `json:"package"`
	Yargs   bool   `json:"yargs"` // its options are read by yargs
	Python  string `json:"python"`
	// OriginsEnv is the variable that lists the sites whose pages may use it, OriginsArgs a pattern of arguments that let all of them.
	OriginsEnv  string `json:"originsEnv"`
	OriginsArgs string `json:"originsArgs"`
	// Brakes are the options and variables that take its brakes off.
	Brakes []brake `json:"brakes"`

	args                                  []argPattern
	authRe, noAuthRe, configRe, originsRe *regexp.Regexp
	servesRe, servesNotRe                 *regexp.Regexp
}

func loadPatterns() (string, []*pattern, error) {
	var file struct {
		Date     string     `json:"date"`
		Runtimes []*pattern `json:"runtimes"`
	}
	if err := json.Unmarshal(rego.Runtimes, &file); err != nil {
		return "", nil, fmt.Errorf("runtime patterns: %w", err)
	}
	for _, p := range file.Runtimes {
		for _, a := range p.Args {
			re, err := regexp.Compile(a)
			if err != nil {
				return "", nil, fmt.Errorf("runtime patterns: %s: %w", p.Name, err)
			}
			p.args = append(p.args, argPattern{re, literalOf(a)})
		}
		for i, a := range p.ArgsEnv {
			re, err := regexp.Compile(a.Args)
			if err != nil {
				return "", nil, fmt.Errorf("runtime patterns: %s: %w", p.Name, err)
			}
			p.ArgsEnv[i].re = argPattern{re, literalOf(a.Args)}
		}
		for _, c := range []struct {
			text string
			dst  **regexp.Regexp
		}{{p.AuthArgs, &p.authRe}, {p.NoAuthArgs, &p.noAuthRe}, {p.AuthConfig, &p.configRe}, {p.OriginsArgs, &p.originsRe}, {p.Serves, &p.servesRe}, {p.ServesNot, &p.servesNotRe}} {
			if c.text == "" {
				continue
			}
			re, err := regexp.Compile(c.text)
			if err != nil {
				return "", nil, fmt.Errorf("runtime patterns: %s: %w", p.Name, err)
			}
			*c.dst = re
		}
		for i, b := range p.Brakes {
			if b.Arg == "" {
				continue
			}
			re, err := regexp.Compile(b.Arg)
			if err != nil {
				return "", nil, fmt.Errorf("runtime patterns: %s: %w", p.Name, err)
			}
			p.Brakes[i].argR = re
		}
	}
	return file.Date, file.Runtimes, nil
}

// browsers are programs that have an interface for debuggers: browsers, and applications that are made of one.
var browsers = lazily(
	`(?i)(chrom|headless.shell|edge|brave|opera|vivaldi|electron|thorium|cef|firefox|librewolf|waterfox|camoufox|` +
		`^(code(-insiders|-oss)?|codium|cursor|windsurf|slack|discord|obsidian|signal-desktop|element-desktop|teams(-for-linux)?|notion|postman|claude-desktop)$)`,
)

// matches says why a process is this runtime, or nothing. What a process is shows in its program, in the script, module or package that an
// interpreter or launcher runs, or in a title that it has set, and never in a later argument.
func (pt *pattern) matches(p *process) string {
	if !p.setID && slices.Contains(pt.Comm, p.Comm) {
		return "process name " + p.Comm
	}
	exe := p.exeBase()
	if exe != "." && slices.Contains(pt.Exe, exe) {
		return "program " + exe
	}
	if len(p.argv) == 0 {
		return ""
	}
	line := p.command()
	first, _, _ := strings.Cut(line, " ")
	if pt.Kind == "browser" && slices.ContainsFunc(pt.Args, func(a string) bool { return strings.HasPrefix(a, "-") }) {
		if line = p.line(); !browsers.MatchString(exe) {
			return ""
		}
		first = line
	}
	for _, arg := range pt.args {
		if arg.shows(line, first) {
			return "arguments match " + arg.re.String()
		}
	}
	return ""
}

// argPattern is a pattern of arguments, and a text that all that it matches have.
type argPattern struct {
	re    *regexp.Regexp
	needs string
}

// shows says of a command that it matches from its first word on.
func (a *argPattern) shows(line, first string) bool {
	if !strings.Contains(line, a.needs) {
		return false
	}
	loc := a.re.FindStringIndex(line)
	return loc != nil && loc[0] < len(first)
}

// literalOf is the longest text that everything has that a pattern matches; "" where none is seen.
func literalOf(pattern string) string {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return ""
	}
	var longest func(*syntax.Regexp) string
	longest = func(re *syntax.Regexp) (found string) {
		switch re.Op {
		case syntax.OpLiteral:
			if re.Flags&syntax.FoldCase == 0 {
				return string(re.Rune)
			}
		case syntax.OpConcat, syntax.OpCapture, syntax.OpPlus:
			for _, sub := range re.Sub {
				if s := longest(sub); len(s) > len(found) {
					found = s
				}
			}
		default: // Nothing that all of its matches have.
		}
		return found
	}
	return longest(re)
}

// maxLine bounds the command line that the patterns look at: what a process is shows in its first arguments.
const maxLine = 4096

// line is the beginning of the arguments as one line.
func (p *process) line() string {
	if p.joined == "" {
		line := strings.Join(p.argv, " ")
		p.joined = strings.Clone(line[:min(len(line), maxLine)])
	}
	return p.joined
}

func collectAgents(ctx context.Context, s *Scan, snap *snapshot.Snapshot) *Outcome {
	out := new(Outcome)
	date, patterns, err := loadPatterns()
	if err != nil {
		out.fail("load", err)
		return out
	}
	snap.Agents.DataDate = date
	procs, err := s.processes()
	if err != nil {
		out.fail("list processes", err)
		return out
	}
	s.tableGap(out)
	clock, looked := newClock(), 0
	for _, p := range s.inTurns(procs) {
		if ctx.Err() != nil {
			out.partial("there was no time to look for agents at %s; most of it was taken by %s",
				count(len(procs)-looked, "process", "processes"), clock.slowest())
			break
		}
		looked++
		if p.Leader != 0 {
			continue // another thread of a process that is looked at
		}
		party := s.party(p)
		if !clock.has(party) {
			continue
		}
		start := time.Now()
		if slices.Contains(p.Unread, "cmdline") {
			out.partial("whether %s is an agent is not known: its arguments could not be read", s.placeName(p))
		}
		if a := s.recognise(p, patterns, out); a != nil {
			a.Runs = s.runs(ctx, p)
			snap.Agents.Brakes = append(snap.Agents.Brakes, s.brakesOf(patternOf(patterns, a.Runtime), p)...)
			snap.Agents.Instances = append(snap.Agents.Instances, *a)
		}
		clock.charge(party, start)
	}
	for _, party := range sortedKeys(clock.over) {
		out.partial("there was no time to look for agents at all processes of %s", party)
	}
	s.aroundAgents(&snap.Agents, patterns, out)
	snap.Agents.Sandboxes, snap.Agents.Measured = s.measured(ctx, snap.Agents.Instances, out), true
	slices.SortStableFunc(snap.Agents.Instances, func(a, b snapshot.Agent) int { return cmp.Compare(a.PID, b.PID) })
	return out
}

// byVariable says why a process is this runtime by what it runs and a variable of its environment, or nothing.
func (s *Scan) byVariable(pt *pattern, p *process) string {
	if len(pt.ArgsEnv) == 0 || len(p.argv) == 0 {
		return ""
	}
	line := p.command()
	first, _, _ := strings.Cut(line, " ")
	for i := range pt.ArgsEnv {
		if a := &pt.ArgsEnv[i]; a.re.shows(line, first) {
			if env, err := s.environ(p); err == nil && env[a.Env] != "" {
				return "environment " + a.Env
			}
		}
	}
	return ""
}

func (s *Scan) recognise(p *process, patterns []*pattern, out *Outcome) *snapshot.Agent {
	// A child that only inherited the environment is recognised by its own marks, not by those.
	for _, pt := range patterns {
		why := pt.matches(p)
		if why == "" {
			why = s.byVariable(pt, p)
		}
		if why == "" && !p.setID && pt.Name == "openclaw" && p.PPID == 1 && interpreters.MatchString(p.exeBase()) {
			if env, err := s.environ(p); err == nil && env["OPENCLAW_SERVICE_MARKER"] == "openclaw" &&
				env["OPENCLAW_SERVICE_KIND"] == "gateway" {
				why = "environment OPENCLAW_SERVICE_MARKER"
			}
		}
		if why == "" {
			continue
		}
		a := &snapshot.Agent{
			Runtime: pt.Name, Title: pt.Title, Kind: pt.Kind, PID: p.PID, Unit: p.Unit, UserUnit: p.UserUnit,
			Container: p.Container, Evidence: why, DefaultAuth: pt.Auth, Ports: pt.Ports,
			Floor: pt.Floor, FloorWhy: pt.FloorWhy,
			Version: snapshot.Fact{State: snapshot.Absent}, ConfigRead: snapshot.Fact{State: snapshot.Absent},
		}
		if line := p.command(); pt.servesRe != nil && (!pt.servesRe.MatchString(line) || pt.servesNotRe != nil && pt.servesNotRe.MatchString(line)) {
			a.Kind, a.DefaultAuth = "cli", "unknown"
		}
		a.Auth = s.authOf(pt, p)
		if a.Version = s.versionOf(pt, p); pt.AuthSince != "" {
			a.DefaultAuth = pt.defaultOf(a.Version)
		}
		if a.Origins = s.originsOf(pt, p); pt.Name == "openclaw" {
			s.openClaw(p, a, out)
		}
		return a
	}
	return nil
}

// argument returns the value of an option, the last if it is given several times, "" where it is not given.
func argument(argv []string, flag string) (value string) {
	words := argv
	if len(argv) == 1 {
		words = strings.Fields(argv[0])
	}
	for i := 0; i < len(words); i++ {
		if words[i] == flag && i+1 < len(words) {
			i++
			value = words[i]
		} else if v, ok := strings.CutPrefix(words[i], flag+"="); ok {
			value = v
		}
	}
	return value
}

func atoiOr(s string, def int) int {
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	return def
}

// aroundAgents adds what is about agents that need not run: settings and files of theirs, and programs that publish what they serve.
func (s *Scan) aroundAgents(sec *snapshot.Agents, patterns []*pattern, out *Outcome) {
	publishers, err := loadPublishers()
	if err != nil {
		out.fail("load", err)
		return
	}
	s.findBrakes(sec, patterns)
	s.findAgentFiles(sec)
	s.findMCP(sec)
	s.findPublishers(sec, publishers)
}

func loadPublishers() ([]*publisher, error) {
	var file struct {
		Publishers []*publisher `json:"publishers"`
	}
	if err := json.Unmarshal(rego.Runtimes, &file); err != nil {
		return nil, fmt.Errorf("programs that publish: %w", err)
	}
	for _, p := range file.Publishers {
		if err := p.compile(); err != nil {
			return nil, fmt.Errorf("programs that publish: %s: %w", p.Program, err)
		}
	}
	return file.Publishers, nil
}

func patternOf(patterns []*pattern, name string) *pattern {
	for _, p := range patterns {
		if p.Name == name {
			return p
		}
	}
	return new(pattern)
}

// originsOf says whether pages of every site may use an instance by a browser; nil for a runtime of which nothing is known.
func (s *Scan) originsOf(pt *pattern, p *process) *snapshot.Fact {
	f := snapshot.Fact{State: snapshot.Absent}
	switch {
	case pt.originsRe == nil && pt.OriginsEnv == "":
		return nil
	case pt.originsRe != nil && pt.originsRe.MatchString(strings.Join(p.argv, " ")):
		f = present("any")
	case pt.OriginsEnv != "":
		env, err := s.environ(p)
		if err != nil && !gone(err) {
			f = snapshot.Fact{State: snapshot.Error, Reason: "its environment was not read: " + cause(err).Error()}
		} else if slices.ContainsFunc(strings.FieldsFunc(env[pt.OriginsEnv], func(r rune) bool { return r == ',' || r == ';' }), anyOrigin) {
			f = present("any")
		}
	}
	return &f
}

// anyOrigin says of an origin that it is every site's.
func anyOrigin(o string) bool {
	o = strings.TrimSpace(o)
	return o == "*" || o == "http://*" || o == "https://*" || o == "*://*"
}
