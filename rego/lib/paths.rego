# Who becomes what: what the checks of package power share.
package ringfence.lib.paths

# told are the ways to a goal that are findings: those that are known, and that nobody means.
told(list, goal) := {p |
	some p in list
	p.goal == goal
	p.verdict == "yes"
	p.meant == ""
	not p.withRoot
	not _meant_account(p)
}

# open are the questions about a goal without an answer. What is left open by set-id programs elsewhere alone is not: the checks are about
# those in the directories of packages.
open(list, goal) := {p |
	some p in list
	p.goal == goal
	p.verdict == "unknown"
	p.meant == ""
	not p.unsearched
	not p.withRoot
}

# A person with a password becomes root by design.
_meant_account(p) if {
	p.kind == "account"
	p.trigger == "operator"
}

severity(p) := "low" if {
	p.trigger in {"operator", "login"}
} else := "medium" if {
	p.kind == "account"
} else := "high"

when(p) := {
	"none": "", "timer": " at the next run of a timer", "restart": " at the next restart", "login": " when somebody logs in",
	"operator": " if a person helps",
}[p.trigger]

evidence(p) := array.concat([sprintf("%s, uid %d", [p.name, p.uid])], p.steps)

remediation(p) := [{"kind": "config", "text": sprintf("change %s", [concat(", and ", p.cut)])} | count(p.cut) > 0]
