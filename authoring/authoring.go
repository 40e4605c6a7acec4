// Package authoring helps who writes policies of their own: it begins a check with its test, and tells how tests went.
package authoring

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/judge"
)

var idForm = regexp.MustCompile(`^[a-z][a-z0-9-]*/[a-z][a-z0-9-]*$`)

// New is a check with its test, by their paths below a directory of policies. It is about telnet, holds as it is, and has in its comments what
// to change. The id is <area>/<check>; one that exists is refused.
func New(id string, existing []judge.Check) (map[string]string, error) {
	if !idForm.MatchString(id) {
		return nil, fmt.Errorf("check %q: want <area>/<check> of small letters, digits and dashes, such as own/no-telnet", id)
	}
	area, name, _ := strings.Cut(id, "/")
	if area == "lib" || area == "shared" {
		return nil, fmt.Errorf("check %q: the area %s is for code that checks share", id, area)
	}
	for i := range existing {
		if existing[i].ID == id {
			return nil, fmt.Errorf("check %q is there already (%s)", id, existing[i].File)
		}
	}
	pkg := "ringfence." + strings.ReplaceAll(area, "-", "_") + "." + strings.ReplaceAll(name, "-", "_")
	file := path.Join(area, name)
	r := strings.NewReplacer("PACKAGE", pkg, "AREA", area)
	return map[string]string{file + ".rego": r.Replace(checkText), file + "_test.rego": r.Replace(testText)}, nil
}

const checkText = `# METADATA
# title: Telnet is reachable from outside
# description: >-
#   What it means for the host if this fails, in one or two sentences.
# custom:
#   severity: high
#   # The parts of a snapshot that the policy reads. If one was not seen, the check is unknown before the policy runs; if one is left out that
#   # the policy reads, loading it names the one.
#   reads: [listeners.ip, network, nftables, processes.power, agents, runtimes]
#   remediation: Stop the program, or let it listen on loopback.
package PACKAGE

# What is wrong. The key of the resource names the object for ever: no pid, no time.
finding contains {
	"resource": {"kind": "service", "key": svc.key},
	"message": sprintf("%s is reachable from the external zone", [svc.key]),
	"zone": "external",
	"evidence": [sprintf("reachable on %s: %s", [svc.reach.external.origin, svc.reach.external.witness])],
	"remediation": [{"kind": "words", "text": "systemctl disable --now telnet.socket"}],
} if {
	some svc in _telnet
	svc.reach.external.verdict == "reachable"
}

# What could not be decided: it is never a pass.
unknown contains {"resource": {"kind": "service", "key": svc.key}, "reason": concat("; ", svc.reach.external.because)} if {
	some svc in _telnet
	svc.reach.external.verdict == "unknown"
}

# A rule that begins with _ is of this policy alone.
_telnet := [svc | some svc in input.services; svc.port == 23]

not_applicable := "nothing listens on the port of telnet" if count(_telnet) == 0
`

const testText = `package PACKAGE_test

import data.PACKAGE as check

_doc(verdict) := {"services": [{
	"key": "tcp 0.0.0.0:23 (telnetd)", "proto": "tcp", "port": 23,
	"reach": {"external": {"verdict": verdict, "origin": "eth0", "witness": "a packet", "because": ["a rule that is not known"]}},
}]}

test_reachable_fails if count(check.finding) == 1 with input as _doc("reachable")

test_unreachable_passes if count(check.finding) + count(check.unknown) == 0 with input as _doc("unreachable")

test_unknown_is_unknown if count(check.unknown) == 1 with input as _doc("unknown")

test_nothing_listens if check.not_applicable with input as {"services": []}
`

// TestText is how unit tests went: those that failed with why, all of them where verbose, and what they cover.
func TestText(results []judge.TestResult, covered []judge.Covered, verbose bool) (text string, failed int) {
	var b strings.Builder
	for _, r := range results {
		switch {
		case !r.Pass:
			failed++
			fmt.Fprintln(&b, strings.TrimSpace("FAIL "+r.Name+" "+r.Output))
			b.WriteString(r.Trace)
		case verbose:
			fmt.Fprintln(&b, "ok   "+r.Name)
		}
	}
	for _, c := range covered {
		fmt.Fprintf(&b, "%5.1f%% of %s", c.Percent, c.File)
		if len(c.Missing) > 0 {
			fmt.Fprintf(&b, ", not line %s", lines(c.Missing))
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%d passed, %d failed\n", len(results)-failed, failed)
	return b.String(), failed
}

// lines are numbers of lines, those that follow each other as first-last.
func lines(list []int) string {
	list = slices.Compact(slices.Sorted(slices.Values(list))) // a rule and its condition can be of one line
	var parts []string
	for i := 0; i < len(list); {
		j := i
		for j+1 < len(list) && list[j+1] == list[j]+1 {
			j++
		}
		if i == j {
			parts = append(parts, fmt.Sprint(list[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", list[i], list[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ", ")
}

// ReadMe says how other programs for Rego use what Export wrote.
const ReadMe = `# Policies of ringfence, for other programs

policies and lib are what the program has built in, with their tests. schemas/input.json is the schema of input, capabilities.json the functions that a
policy may call, data.json the parameters. Beside a directory of policies of your own:

    opa check --strict --capabilities capabilities.json --schema schemas lib DIR
    opa test lib DIR data.json
    regal lint --config-file regal.yaml DIR

As a signed bundle, with DIR in this directory:

    opa build -b . --capabilities capabilities.json --signing-key private.pem --signing-alg ES256 -o bundle.tar.gz
    ringfence audit --bundle bundle.tar.gz --verification-key public.pem
`

// Test runs the unit tests of the policies of a directory. It is what policies read without need, and how the tests went; an error if there are none.
func Test(ctx context.Context, p *judge.Policies, dir string, opt judge.TestOptions) (needless, text string, failed int, err error) {
	for i := range p.Checks {
		if spare := p.Spare(&p.Checks[i]); !p.Checks[i].Builtin && len(spare) > 0 {
			needless += fmt.Sprintf("ringfence: %s: reads %s, of which it uses nothing: it is unknown without need where that was not seen\n",
				p.Checks[i].File, strings.Join(spare, ", "))
		}
	}
	results, covered, err := p.Test(ctx, opt)
	if err == nil && len(results) == 0 {
		err = fmt.Errorf("%s has no unit tests that were asked for: they are the rules test_... in files named ..._test.rego", dir)
	}
	if err != nil {
		return needless, "", 0, err
	}
	text, failed = TestText(results, covered, opt.Trace)
	return needless, text, failed, nil
}

// ListText lists checks, one a line.
func ListText(checks []judge.Check) string {
	var b strings.Builder
	for i := range checks {
		fmt.Fprintf(&b, "%-52s %-9s %s\n", checks[i].ID, checks[i].Severity, checks[i].Title)
	}
	return b.String()
}
