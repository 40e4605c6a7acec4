# Package lib is what several policies share. It never reads input: what it needs comes as an
# argument, so that the sections a policy reads can be told from the policy alone.
package ringfence.lib

# quoted is a text as one word of a shell. One with line breaks stays on its line (bash, zsh, ksh): somebody may copy that line alone.
quoted(s) := s if {
	regex.match(`^[A-Za-z0-9_%+=:,./-]+$`, s)
} else := sprintf("'%s'", [replace(s, "'", "'\\''")]) if {
	not regex.match(`[\x00-\x1f\x7f]`, s)
} else := sprintf("$'%s'", [regex.replace(strings.replace_n(_escapes, s), `[\x00-\x1f\x7f]`, "?")])

_escapes := {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\u001b": "\\x1b"}

# zones_text names zones.
zones_text(list) := sprintf("the zone %s", [list[0]]) if {
	count(list) == 1
} else := sprintf("the zones %s", [concat(" and ", list)])

# exposed_severity of a management service that a zone reaches.
exposed_severity("external") := "critical"

exposed_severity("workload") := "critical"

exposed_severity("runtime") := "high"

exposed_severity("management") := "info"

# service_severity of a management service that a zone reaches. One that gives no more than a container or an account of the host is no way
# into the host, and what processes of the host alone reach is exposed to nobody else.
service_severity(zone, svc) := _guest_severity(zone) if {
	object.get(svc, "guestPort", 0) > 0
} else := "medium" if {
	not lesser(svc)
	zone in {"external", "workload", "runtime"}
	svc.reach[zone].local
} else := exposed_severity(zone) if {
	not lesser(svc)
} else := "medium" if {
	zone == "external"
} else := "low" if {
	zone != "management"
} else := "info"

# A guest is a machine of its own, and whether it serves the port is not seen.
_guest_severity("external") := "high"

_guest_severity(zone) := "medium" if not zone in {"external", "management"}

_guest_severity("management") := "info"

# if_served is what to add where it is not seen that a guest serves the port that a service leads to.
if_served(svc) := sprintf(" (port %d of a guest, if it serves that)", [svc.guestPort]) if {
	object.get(svc, "guestPort", 0) > 0
} else := ""

# lesser says of a service that it is in the network namespace of a container or a user, and is theirs. What they have there can be as
# many and as odd as they like: that it is not known who reaches it leaves nothing open about the host.
lesser(svc) if {
	object.get(svc, "namespace", "") != ""
	not object.get(svc, "gives", "root on the host") in {"", "root on the host"}
}

# zone_severity of an open packet filter towards a zone.
zone_severity("external") := "high"

zone_severity("workload") := "high"

zone_severity("runtime") := "medium"

# evidence of a reachability answer, in words.
evidence(reach) := [sprintf("reachable on %s: %s", [reach.origin, reach.witness])] if {
	reach.verdict == "reachable"
} else := [sprintf("not known on %s: %s", [reach.origin, concat("; ", reach.because)])] if {
	reach.verdict == "unknown"
} else := [sprintf("stopped: %s", [concat("; ", reach.stoppedBy)])] if {
	reach.verdict == "unreachable"
}

# unclear says why it is not known whether a zone gets through.
unclear(zone, reach) := sprintf("whether the %s zone reaches it hangs on: %s", [zone, concat("; ", reach.because)])

# close is the packet filter's part of closing a service to a zone. From a process of the host there
# is no interface to filter on.
close(zone, svc) := [{
	"kind": "nft",
	"text": sprintf("drop %s port %d from the %s zone", [svc.proto, svc.port, zone]),
	"deny": object.union({"zone": zone, "proto": svc.proto, "port": svc.port}, _where(svc)),
}] if {
	not svc.reach[zone].local
	not svc.by[zone]
	not _elsewhere(svc)
}

# What passes connections on to it is what packets go to.
close(zone, svc) := [{
	"kind": "nft",
	"text": sprintf("drop %s port %d (%s, which leads to it) from the %s zone", [by.proto, by.port, by.program, zone]),
	"deny": object.union({"zone": zone, "proto": by.proto, "port": by.port}, _where(by)),
}] if {
	not svc.reach[zone].local
	by := svc.by[zone]
	not _elsewhere(svc)
}

# A socket in another network namespace is reached through the host, by an address and often a port that are not the host's.
close(zone, svc) := [{
	"kind": "words",
	"text": sprintf(
		"publish the port of %s on an address that only its users reach (%s port %d is in its network namespace), or keep others from that network",
		[svc.namespace, svc.proto, svc.port],
	),
	"zones": [zone],
}] if {
	_elsewhere(svc)
}

_elsewhere(svc) if object.get(svc, "namespace", "") != ""

close(zone, svc) := [{
	"kind": "words",
	"text": sprintf(
		"give what runs on the host a network namespace of its own: it reaches %s port %d over loopback",
		[svc.proto, svc.port],
	),
	"zones": [zone],
}] if {
	svc.reach[zone].local
	not _elsewhere(svc)
}

# _where a service takes packets: other services of its port, at other addresses, are not what is closed.
_where(svc) := {field: value |
	some field, from in {"addr": "hostAddr", "family": "family", "device": "device"}
	value := object.get(svc, from, "")
	not value in {"", 0}
}

# context names a Match block.
context(ctx) := "for everybody" if ctx.match == ""

context(ctx) := sprintf("Match %s", [ctx.match]) if ctx.match != ""

# whom a context is about: everybody who logs in, and to whose server if it is not the host's own.
whom(ctx) := context(ctx) if ctx.of == ""

else := sprintf("%s of %s", [context(ctx), ctx.of])

# sshd is settings of the host's own server, or what to tell whose server it is. What the command line gives a file does not change.
sshd(ctx, settings) := [{"kind": "sshd", "settings": settings}] if {
	ctx.of == ""
	ctx.source != "arguments"
	count(ctx.options) == 0
	not _in_match(ctx, settings)
} else := [{"kind": "words", "text": sprintf("in %s, %s: %s", [ctx.config, context(ctx), _settings(settings)])}] if {
	ctx.of == ""
	ctx.source != "arguments"
	count(ctx.options) == 0
} else := [{"kind": "words", "text": sprintf("start the server with other options: %s", [_settings(settings)])}] if {
	ctx.source == "arguments"
} else := [{"kind": "words", "text": sprintf("take -o %s out of the command line of sshd (SSHD_OPTS in /etc/default/ssh), then %s in %s%s", [
	concat(" -o ", ctx.options), _settings(settings), ctx.config, _of(ctx),
])}] if {
	count(ctx.options) > 0
} else := [{"kind": "words", "text": sprintf("in %s%s: %s", [ctx.config, _of(ctx), _settings(settings)])}]

# What a Match block sets no line outside of it changes (sshd_config(5)).
_in_match(ctx, settings) if {
	some s in settings
	lower(s.name) in object.get(ctx, "matched", [])
}

_settings(list) := concat(", ", [sprintf("%s %s", [s.name, s.value]) | some s in list])

_of(ctx) := "" if ctx.of == ""

else := sprintf(" of %s", [ctx.of])

# place names a context stably.
place(ctx) := sprintf("%s %s", [ctx.config, whom(ctx)]) if count(ctx.options) == 0

else := sprintf("%s -o %s %s", [ctx.config, concat(" -o ", ctx.options), whom(ctx)])

# settings of sshd as text.
settings(s) := [sprintf("%s %s", [k, v]) | some k, v in s; v != ""]

# password_login says whether a password or a keyboard-interactive answer alone logs in: one list of AuthenticationMethods is enough,
# and all of its methods must be passed (sshd_config(5)).
password_login(s) if {
	s.authenticationmethods in {"", "any"}
	some method in {"password", "keyboard-interactive"}
	_method_on(method, s)
}

password_login(s) if {
	not s.authenticationmethods in {"", "any"}
	some methods in split(s.authenticationmethods, " ")
	methods != ""
	every m in split(methods, ",") {
		_method_on(regex.replace(m, `:.*`, ""), s)
	}
}

# logs_in_unkeyed says whether a password logs in, or no word at all: the method none takes an empty password where passwords are on, and no other one
# (sshd, userauth_none).
logs_in_unkeyed(s) if password_login(s)

logs_in_unkeyed(s) if {
	"none" in split(s.authenticationmethods, " ")
	s.permitemptypasswords == "yes"
	s.passwordauthentication == "yes"
}

_method_on("password", s) if s.passwordauthentication == "yes"

_method_on("keyboard-interactive", s) if {
	s.kbdinteractiveauthentication == "yes"
	s.usepam == "yes"
}

# root_login says whether root is let in by a password under a context: yes, locked (it is, and has none), unsure (it is, and may have one),
# or no.
root_login(ctx) := ctx.logins.root if {
	ctx.settings.permitrootlogin == "yes"
	logs_in_unkeyed(ctx.settings)
} else := "no"

# locked_users are those who are let in and have no password.
locked_users(ctx) := array.concat(["root" | root_login(ctx) == "locked"], ctx.logins.locked)

# password_users are those who log in by a password under a context.
password_users(ctx) := array.concat(["root" | root_login(ctx) == "yes"], ctx.logins.users)

# unsure_users are those who are let in and of whom it cannot be told whether they have a password.
unsure_users(ctx) := array.concat(
	array.concat(["root" | root_login(ctx) == "unsure"], list(ctx.logins, "unsure")),
	["accounts of elsewhere" | ctx.logins.others],
)

# let_in are all whom a context lets in by a password, as soon as they have one.
let_in(ctx) := array.concat(array.concat(password_users(ctx), unsure_users(ctx)), locked_users(ctx))

# inside says that the service is in the agent's own container, where binding wide is normal.
inside(agent, svc) if {
	agent.container != ""
	svc.container == agent.container
}

# bind_advice depends on where the agent runs: loopback inside a container makes a published port
# unreachable.
bind_advice(agent, svc) := sprintf("publish the port on loopback: 127.0.0.1:%d:%d", [svc.port, svc.port]) if {
	agent.container != ""
} else := "gateway: {bind: \"loopback\"}"

# list is a field that is left out where it is empty.
list(obj, field) := v if {
	v := object.get(obj, field, [])
	v != null
} else := []

# container names a container for people, and stably. What a user calls its own is never taken for one of root's.
container(c) := sprintf("%s of uid %d", [_name(c), c.word.uid]) if {
	c.word.by == "uid"
} else := _name(c)

# own says of a container that a user's files describe it: they can add to what is told of that user, and no more.
own(c) if c.word.by == "uid"

_name(c) := c.name if {
	object.get(c, "name", "") != ""
} else := substring(regex.replace(c.id, `^uid[0-9]+:`, ""), 0, 12)

# specs names the specifications of a container; there can be more than one of the same id.
specs(c) := concat(" and ", array.concat([c.spec], list(c, "others")))

# stable cuts what changes from day to day out of a name: long hexadecimal ids.
stable(name) := regex.replace(name, `[0-9a-f]{12,}`, "*")

# baseline points to a whole ruleset: what closes a default is no single rule.
baseline := "load an input chain with policy drop (ringfence fix plan --mode default-deny)"

# sshd_value is a setting of sshd in lower case; undefined where the source does not tell it.
sshd_value(ctx, name) := lower(concat(" ", ctx.values[name]))

# of_host is a severity for the host's own server; what a container or an account serves gives no more than that.
of_host(ctx, severity) := severity if ctx.of == ""

else := "low"

# sshd_unread says of servers whose configuration is not known why.
sshd_unread(servers) := {{"resource": {"kind": "sshd", "key": srv.key}, "reason": srv.state} |
	some srv in servers
	srv.state != "read"
}

# sshd_unsaid says of contexts of the host's own server that their source does not tell a setting: older snapshots have few, and files alone
# no defaults of a version. What a container or an account serves leaves nothing unknown.
sshd_unsaid(contexts, name) := {{"resource": {"kind": "sshd", "key": place(ctx)}, "reason": sprintf("its %s is not known", [name])} |
	some ctx in contexts
	ctx.of == ""
	ctx.source != "arguments"
	not ctx.values[name]
}

# sshd_unsaid_any says so of several settings.
sshd_unsaid_any(contexts, names) := {u |
	some name in names
	some u in sshd_unsaid(contexts, name)
}

# sshd_repeats says of the context of a Match block that a setting is the same for everybody: it is told of once.
sshd_repeats(ctx, open) if {
	ctx.match != ""
	some all in open
	all.match == ""
	[all.config, all.of, all.options] == [ctx.config, ctx.of, ctx.options]
}

# managed_open are the sockets of programs of a role that a zone reaches by a network, each with the zone and the answer.
managed_open(managed, role) := {{"server": m, "service": svc, "zone": zone, "reach": reach} |
	some m in managed
	m.role == role
	some svc in m.services
	not svc.loopback
	some zone in {"external", "workload"}
	reach := svc.reach[zone]
	reach.verdict == "reachable"
	not reach.local
}

# managed_unclear are those of which it is not known whether a zone reaches them.
managed_unclear(managed, role) := {{"resource": {"kind": "service", "key": svc.key}, "reason": unclear(zone, reach)} |
	some m in managed
	m.role == role
	some svc in m.services
	not lesser(svc)
	some zone in {"external", "workload"}
	reach := svc.reach[zone]
	reach.verdict == "unknown"
}

# unread_settings are the settings of servers of a name that are not known.
unread_settings(managed, name, settings) := {{"resource": {"kind": "server", "key": m.key}, "reason": sprintf("its %s is not known: %s", [s, _unread_why(m, s)])} |
	some m in managed
	m.name == name
	not m.lesser # what somebody calls a server of their own leaves nothing unknown
	some s in settings
	object.get(m.settings, [s, "state"], "error") != "present"
}

_unread_why(m, s) := object.get(m.settings, [s, "reason"], object.get(m.settings, ["read", "reason"], "the snapshot does not tell it"))

# rooted says of a container that it has a process which permissions of files do not hold back: root in the initial user namespace, or
# one with a capability for it. Of one that does not run, its specification tells.
rooted(c, workloads) if {
	some w in workloads
	w.key == sprintf("container %s", [container(c)])
	w.hostUser
	_mighty(w)
}

rooted(c, _) if {
	not c.running
	c.uid == 0
	not c.userNS
	not own(c)
}

_mighty(w) if w.uid == 0

_mighty(w) if {
	some cap in w.caps
	cap in {"dac_override", "dac_read_search"}
}

# labelled says of a container that every process of it has a label of a security module which keeps containers from the kernel's files.
labelled(c, workloads) if {
	mine := [w | some w in workloads; w.key == sprintf("container %s", [container(c)])]
	count(mine) > 0
	every w in mine {
		_confined(w.lsm)
	}
}

_confined(lsm) if {
	some prefix in ["docker-default", "cri-containerd.apparmor.d", "crio-default", "containers-default"]
	startswith(lsm, prefix)
	endswith(lsm, "(enforce)")
}

_confined(lsm) if contains(lsm, ":container_t:")

# below says of a path that it is a directory or is in it.
below(p, dir) if p == dir

below(p, dir) if startswith(p, sprintf("%s/", [dir]))

# join is names in a sentence, at most five of them.
join(names) := concat(", ", names) if count(names) <= 5

join(names) := sprintf("%s and %d others", [concat(", ", array.slice(names, 0, 5)), count(names) - 5]) if count(names) > 5

# blind is why it is not known how the files of a running container are mounted.
blind(c) := c.kernelFiles.read.reason if {
	c.running
	c.kernelFiles.read.state != "present"
} else := "the snapshot does not tell how its files are mounted" if {
	c.running
	not c.kernelFiles
}

# mount_of is the source of the mount that brings a path into a container: the innermost one that is declared for it; "" where none is.
mount_of(c, path) := sources[count(sources) - 1] if {
	sources := [m.source |
		some m in list(c, "mounts")
		below(path, trim_suffix(m.dest, "/"))
		every o in list(c, "mounts") {
			_inner(m, o, path)
		}
	]
	count(sources) > 0 # of mounts at one place the last is on top
} else := ""

_inner(_, o, path) if not below(path, trim_suffix(o.dest, "/"))

_inner(m, o, _) if count(trim_suffix(o.dest, "/")) <= count(trim_suffix(m.dest, "/"))
