# Who becomes what: what the checks of package power share.
package ringfence.lib.paths

import data.ringfence.lib

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

# follows are the findings of other checks that a way is a consequence of: it ends with those, and with what beside says.
follows(p, services, sockets, containers) := [s |
	some change in p.cut
	some s in _sources(p, change, services, sockets, containers)
]

beside(p, services, sockets, containers) := sprintf("change %s", [concat(", and ", rest)]) if {
	rest := [change | some change in p.cut; count(_sources(p, change, services, sockets, containers)) == 0]
	count(rest) > 0
} else := ""

_sources(p, change, services, sockets, containers) := array.concat(
	array.concat(
		[{"check": "runtime/docker-api-on-tcp", "key": svc.key} |
			some svc in services
			svc.class == "runtime-api"
			change == sprintf("who reaches %s", [svc.key])
		],
		[{"check": "runtime/socket-mounted-in-workload", "key": sprintf("%s in %s", [s.path, m.workload])} |
			some s in sockets
			change == sprintf("access to %s", [s.path])
			some m in s.mountedIn
			m.workload == p.name
		],
	),
	array.concat(
		[{"check": "kernel/host-path-writable-in-workload", "key": sprintf("%s in %s", [m.source, p.name])} |
			some c in containers
			p.name == sprintf("container %s", [lib.container(c)])
			some m in lib.list(c, "mounts")
			change == sprintf("the mount of %s", [m.source])
			not _within(c, m)
		],
		array.concat(
			[{"check": check, "key": p.key} | some check in _ends_of(p)[change]],
			[{"check": "agent/runs-as-root", "key": trim_prefix(p.key, "agent ")} |
				p.kind == "agent"
				change == sprintf("the user that %s runs as", [p.name])
			],
		),
	),
)

_ends_of(p) := {
	"the pid namespace of the host": ["capability/workload-shares-host-namespace"],
	sprintf("the capabilities of %s", [p.name]): {"root": ["capability/host-takeover-capability-in-workload"], "filter": ["capability/net-admin-over-host-network"], "secret": []}[p.goal],
}

# What is below another mount is told of with that, and stays when that goes.
_within(c, m) if {
	some o in lib.list(c, "mounts")
	o.rw
	o.source != m.source
	lib.below(m.source, trim_suffix(o.source, "/"))
}
