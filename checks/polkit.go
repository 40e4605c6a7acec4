//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// polkitDaemons are where packages have the daemon; without it nobody is asked.
var polkitDaemons = []string{"/usr/lib/polkit-1/polkitd", "/usr/libexec/polkitd", "/usr/libexec/polkit-1/polkitd", "/usr/lib/policykit-1/polkitd"}

// polkitDirs are those of rules and of actions (polkit(8)). Not every version has all of them.
var polkitDirs = func() (list []string) {
	for _, what := range []string{"rules.d", "actions"} {
		for _, dir := range []string{"/etc", "/run", "/usr/local/share", "/usr/share"} {
			list = append(list, path.Join(dir, "polkit-1", what))
		}
	}
	return list
}()

// polkit reads what polkit lets whom do without a password.
func (s *Scan) polkit() ([]snapshot.PolkitGrant, snapshot.Fact) {
	if !slices.ContainsFunc(polkitDaemons, func(p string) bool { _, err := s.Host.Lstat(p); return err == nil }) {
		return nil, snapshot.Fact{State: snapshot.Absent}
	}
	var list []snapshot.PolkitGrant
	told := map[string]polkitAction{}
	for _, dir := range polkitDirs {
		names, err := s.Host.ReadDir(dir)
		if gone(err) {
			continue
		}
		if err != nil || len(names) > maxInDir {
			return nil, toFact("", cmp.Or(err, fmt.Errorf("%s has more files than are read", dir)))
		}
		for _, n := range names {
			file := path.Join(dir, n)
			ext := path.Ext(n)
			if ext != ".rules" && ext != ".policy" {
				continue
			}
			b, err := s.Host.ReadFile(file)
			if err != nil {
				return nil, toFact("", err)
			}
			grants, err := polkitGrants(ext, b, told)
			if err != nil {
				grants = []snapshot.PolkitGrant{{Unread: err.Error()}}
			}
			for _, g := range grants {
				g.File = file
				list = append(list, g)
			}
		}
	}
	return annotated(list, told), snapshot.Fact{State: snapshot.Present}
}

// polkitAction is what the annotations of an action say (polkit(8), pkexec(1)).
type polkitAction struct {
	exec    []string
	implies []string // who may do it may do these
}

// maxImplied bounds the grants of which it is followed what their actions imply.
const maxImplied = 4_096

// annotated are grants with what pkexec runs by them, and those of the actions that theirs imply.
func annotated(list []snapshot.PolkitGrant, told map[string]polkitAction) []snapshot.PolkitGrant {
	seen := map[string]bool{}
	for i := 0; i < len(list); i++ {
		if i == maxImplied {
			return append(list[:i:i], snapshot.PolkitGrant{Unread: "actions of polkit let somebody do more others than are followed"})
		}
		g := &list[i]
		g.Exec = told[g.Action].exec
		for _, action := range told[g.Action].implies {
			also := *g
			also.Action = action
			if k := also.File + " " + action + fmt.Sprint(g.Users, g.Groups, g.Session, g.Narrower); !seen[k] {
				seen[k] = true
				list = append(list, also)
				g = &list[i]
			}
		}
	}
	return list
}

// polkitGrants are what a file of rules or of actions lets somebody do without a password. What it says of actions besides is noted.
func polkitGrants(ext string, b []byte, told map[string]polkitAction) ([]snapshot.PolkitGrant, error) {
	if ext == ".policy" {
		return actionGrants(b, told)
	}
	return ruleGrants(string(b))
}

// actionGrants are the actions that a file lets everybody do, or everybody who is logged in at the machine.
func actionGrants(b []byte, told map[string]polkitAction) (list []snapshot.PolkitGrant, err error) {
	var doc struct {
		Actions []struct {
			ID       string `xml:"id,attr"`
			Any      string `xml:"defaults>allow_any"`
			Inactive string `xml:"defaults>allow_inactive"`
			Active   string `xml:"defaults>allow_active"`
			Notes    []struct {
				Key  string `xml:"key,attr"`
				Text string `xml:",chardata"`
			} `xml:"annotate"`
		} `xml:"action"`
	}
	if err := xml.Unmarshal(b, &doc); err != nil {
		return nil, errMalformed
	}
	for _, a := range doc.Actions {
		var x polkitAction
		first := ""
		for _, n := range a.Notes {
			switch n.Key {
			case "org.freedesktop.policykit.exec.path":
				x.exec = []string{strings.TrimSpace(n.Text)}
			case "org.freedesktop.policykit.exec.argv1":
				first = strings.TrimSpace(n.Text)
			case "org.freedesktop.policykit.imply":
				x.implies = strings.Fields(n.Text)
			}
		}
		if first != "" && x.exec != nil {
			x.exec = append(x.exec, first)
		}
		told[a.ID] = x
		switch {
		case a.Any == "yes":
			list = append(list, snapshot.PolkitGrant{Action: a.ID})
		case a.Inactive == "yes", a.Active == "yes":
			list = append(list, snapshot.PolkitGrant{Action: a.ID, Session: true})
		}
	}
	return list, nil
}

var (
	polkitComment = lazily(`(?s)/\*.*?\*/|//[^\n]*`)
	polkitYes     = lazily(`\bYES\b|["']yes["']`)
	polkitAdmin   = lazily(`^polkit\.addAdminRule ?\( ?function ?\(\w+, ?\w+\) ?\{ ?return \[[^\]{}]*\] ?;? ?\} ?\) ?;? ?`)
	polkitRule    = lazily(`^polkit\.addRule ?\( ?function ?\(action, ?subject\) ?\{ ?if ?\(`)
	polkitResult  = lazily(`^ ?\{? ?return (?:polkit\.Result\.(\w+)|["'](\w+)["']) ?;? ?\}? ?(?:return [\w.]+ ?; ?)?\} ?\) ?;? ?`)
)

var errPolkit = errors.New("it is a program of a form that is not followed")

// maxConjuncts bounds the ways in which one condition can hold.
const maxConjuncts = 256

// ruleGrants are what the rules of a file grant. A file is a program: one that is not of the usual form is not followed, unless nothing in it can
// be a yes.
func ruleGrants(text string) (list []snapshot.PolkitGrant, err error) {
	text = strings.TrimSpace(strings.Join(strings.Fields(polkitComment.ReplaceAllString(text, " ")), " "))
	if !polkitYes.MatchString(text) {
		return nil, nil
	}
	for text != "" {
		if m := polkitAdmin.FindString(text); m != "" {
			text = text[len(m):]
			continue
		}
		m := polkitRule.FindString(text)
		if m == "" {
			return nil, errPolkit
		}
		p := &conditionParser{text: text[len(m):]}
		ways, err := p.either(0)
		if err != nil || !p.take(")") {
			return nil, errPolkit
		}
		end := polkitResult.FindStringSubmatch(p.text)
		if end == nil {
			return nil, errPolkit
		}
		text = p.text[len(end[0]):]
		if result := strings.ToLower(end[1] + end[2]); result == "yes" {
			for _, w := range ways {
				list = append(list, w...)
			}
		}
	}
	return list, nil
}

// conditionParser reads a condition of a rule.
type conditionParser struct{ text string }

func (p *conditionParser) take(token string) bool {
	p.text = strings.TrimLeft(p.text, " ")
	rest, ok := strings.CutPrefix(p.text, token)
	if ok {
		p.text = rest
	}
	return ok
}

// either reads conditions of which one has to hold, all a grant each.
func (p *conditionParser) either(depth int) (ways [][]snapshot.PolkitGrant, err error) {
	for {
		list, err := p.both(depth)
		if err != nil {
			return nil, err
		}
		ways = append(ways, list)
		if !p.take("||") {
			return ways, nil
		}
	}
}

// both reads conditions that have to hold together: each way of one with each of the others.
func (p *conditionParser) both(depth int) ([]snapshot.PolkitGrant, error) {
	all := []snapshot.PolkitGrant{{}}
	for {
		var list []snapshot.PolkitGrant
		if depth < 32 && p.take("(") {
			ways, err := p.either(depth + 1)
			if err != nil || !p.take(")") {
				return nil, errPolkit
			}
			list = slices.Concat(ways...)
		} else {
			g, err := p.atom()
			if err != nil {
				return nil, err
			}
			list = []snapshot.PolkitGrant{g}
		}
		var next []snapshot.PolkitGrant
		for _, a := range all {
			for _, b := range list {
				next = append(next, joined(a, b))
			}
		}
		if all = next; len(all) > maxConjuncts {
			return nil, errPolkit
		}
		if !p.take("&&") {
			return all, nil
		}
	}
}

// joined is a grant under the conditions of two.
func joined(a, b snapshot.PolkitGrant) snapshot.PolkitGrant {
	if b.Action != "" {
		if a.Action != "" && a.Action != b.Action {
			a.Narrower = true // never both: it grants nothing, and counts for no more
		}
		a.Action = b.Action
	}
	a.Users, a.Groups = append(slices.Clone(a.Users), b.Users...), append(slices.Clone(a.Groups), b.Groups...)
	a.Session, a.Narrower = a.Session || b.Session, a.Narrower || b.Narrower
	return a
}

// The atoms of conditions.
var (
	atomAction  = lazily(`^action\.id ?===? ?["']([\w.-]+)["']`)
	atomGroup   = lazily(`^subject\.isInGroup ?\( ?["']([^"']+)["'] ?\)`)
	atomUser    = lazily(`^subject\.user ?===? ?["']([^"']+)["']`)
	atomSession = lazily(`^subject\.(?:active|local)(?: ?===? ?true)?`)
	atomLookup  = lazily(`^action\.lookup ?\( ?["'][\w.-]+["'] ?\) ?===? ?["'][^"']*["']`)
	atomAllBut  = lazily(`^action\.lookup ?\( ?["'][\w.-]+["'] ?\) ?!==? ?["'][^"']*["']`) // and whatever has no such detail
)

func (p *conditionParser) atom() (g snapshot.PolkitGrant, err error) {
	p.text = strings.TrimLeft(p.text, " ")
	for _, a := range []struct {
		re  *lazyRegexp
		set func(m []string)
	}{
		{atomAction, func(m []string) { g.Action = m[1] }},
		{atomGroup, func(m []string) { g.Groups = []string{m[1]} }},
		{atomUser, func(m []string) { g.Users = []string{m[1]} }},
		{atomSession, func([]string) { g.Session = true }},
		{atomLookup, func([]string) { g.Narrower = true }},
		{atomAllBut, func([]string) {}},
	} {
		if m := a.re.FindStringSubmatch(p.text); m != nil {
			a.set(m)
			p.text = p.text[len(m[0]):]
			return g, nil
		}
	}
	return g, errPolkit
}
