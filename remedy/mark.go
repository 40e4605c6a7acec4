package remedy

import (
	"regexp"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/ruleset"
)

// The phases of a table of ours, as its mark has them.
const (
	MarkTrial     = "trial"
	MarkConfirmed = "confirmed"
)

// TableName is a table in the kernel.
type TableName struct{ Family, Name string }

// String is the table as nft names it.
func (t TableName) String() string { return "table " + t.Family + " " + t.Name }

// Found is a table in the kernel that has one of our names.
type Found struct {
	TableName
	// Ours says that it bears our mark. Without it is somebody else's.
	Ours bool
	// ID is the fix that it belongs to, "" where it does not say so: one that an earlier version or a text of ours made.
	ID string
	// OnTrial says that it goes out by itself, Watches that it only has connections tracked.
	OnTrial, Watches bool
}

// The words of a mark: the comment of a table, which the kernel keeps (NFTA_TABLE_USERDATA, since Linux 5.10) and nft shows.
const (
	markProgram = "ringfence"
	markFix     = "fix="
	markPhase   = "phase="
)

// mark is the comment of a table of a fix.
func mark(id, phase string) string {
	return strings.Join([]string{markProgram, markFix + id, markPhase + phase}, " ")
}

// markOf reads the mark of a table.
func markOf(t *ruleset.Table) (id string, ok bool) {
	words := strings.Fields(t.Comment)
	if len(words) != 3 || words[0] != markProgram {
		return "", false
	}
	id, hasID := strings.CutPrefix(words[1], markFix)
	_, hasPhase := strings.CutPrefix(words[2], markPhase)
	return id, hasID && hasPhase && plainID(id)
}

// plainID says of the id of a fix that it has no characters but those that we give one.
func plainID(id string) bool {
	return id != "" && len(id) <= 16 && strings.Trim(id, "0123456789abcdef") == ""
}

// ruleComment is the comment of a rule of ours: what it closes, or what it does for the others.
var ruleComment = regexp.MustCompile(`^ringfence( drain| [a-z0-9_.-]+/[a-z0-9_.-]+)?$`)

// isOurs says whether a table that has one of our names is ours: by its mark, or where the kernel or nft keeps none by the comments of all of
// its rules.
func isOurs(t *ruleset.Table) bool {
	if _, ok := markOf(t); ok {
		return true
	}
	rules := 0
	for i := range t.Chains {
		for j := range t.Chains[i].Rules {
			c := t.Chains[i].Rules[j].Comment
			if rules++; !ruleComment.MatchString(c) && !slices.Contains([]string{commentGate, commentPolicy, commentWatch}, c) {
				return false
			}
		}
	}
	return rules > 0
}

// ClosedBy is what tables of ours that were confirmed close, as their rules tell it: the checks, and whether they let in only what they know.
func ClosedBy(rs *ruleset.Ruleset) (checks []string, baseline bool) {
	for _, t := range ours(rs, Table) {
		for i := range t.Chains {
			c := &t.Chains[i]
			baseline = baseline || c.Base != nil && c.Base.Policy == ruleset.Drop
			for j := range c.Rules {
				check, is := strings.CutPrefix(c.Rules[j].Comment, "ringfence ")
				if is && ruleComment.MatchString(c.Rules[j].Comment) && check != "drain" && !slices.Contains(checks, check) {
					checks = append(checks, check)
				}
			}
		}
	}
	return checks, baseline
}

// Find finds the tables that have our names.
func Find(rs *ruleset.Ruleset) (list []Found) {
	for _, name := range tableNames {
		for _, t := range ours(rs, name) {
			f := Found{TableName: TableName{t.Family, t.Name}, Ours: isOurs(&t), OnTrial: name == trialTable, Watches: name == watchTable}
			if id, ok := markOf(&t); ok {
				f.ID = id
			}
			list = append(list, f)
		}
	}
	return list
}

// Strangers are the tables that have our names and are somebody else's.
func Strangers(rs *ruleset.Ruleset) (list []TableName) {
	for _, f := range Find(rs) {
		if !f.Ours {
			list = append(list, f.TableName)
		}
	}
	return list
}

// MarkedRuleset is the plan's text for nft with the mark of a fix that is confirmed. A plan that has no rules has none.
func (p *Plan) MarkedRuleset(id string) string {
	if len(p.Rules) == 0 {
		return ""
	}
	text := p.Ruleset
	for _, f := range p.families() {
		head := TableName{f, Table}.String() + " {\n"
		text = strings.Replace(text, head, head+"\tcomment "+quote(mark(id, MarkConfirmed))+"\n", 1)
	}
	return text
}

// spared are tables that stay.
func spared(spare []TableName, family, name string) bool {
	return slices.Contains(spare, TableName{family, name})
}
