//go:build linux && !ringfence_portable

package checks

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// The options by which a runtime listens for a debugger: those of Node, of the Java virtual machine, and modules of Python.
var (
	nodeInspect = lazily(`^--(inspect(-brk|-wait|-port)?|debug-port)(=|$)`)
	jdwp        = lazily(`^(-agentlib:jdwp=|-Xrunjdwp:).*transport=dt_socket`)
)

// debugVars are the variables that hold options of a runtime, in the order in which it reads them.
var debugVars = map[string][]string{
	"node": {"NODE_OPTIONS"}, "nodejs": {"NODE_OPTIONS"}, "java": {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"},
}

// inspectorPort is where Node listens for a debugger, unless it is told another port.
const inspectorPort = 9229

// debugs says whether a process listens for a debugger, by its options and those that its environment has.
func (s *Scan) debugs(p *process, out *Outcome) (v snapshot.ManagedServer, ok bool) {
	exe := p.exeBase()
	if !interpreters.MatchString(exe) {
		return v, false
	}
	v = snapshot.ManagedServer{PID: p.PID, Unit: p.Unit, Container: p.Container, Word: p.ExeWord, Role: snapshot.RoleDebug}
	how, port := debugged(exe, p.argv)
	v.Evidence = "its options have " + exe + " listen for a debugger"
	if vars := debugVars[exe]; how == "" && len(vars) > 0 && !p.setID {
		env, err := s.environ(p)
		if err != nil && !gone(err) {
			out.partialIn("servers", "whether %s listens for a debugger is not known: its environment was not read (needs CAP_SYS_PTRACE)", s.placeName(p))
		}
		for _, name := range vars {
			if h, n := debugged(exe, slices.Insert(strings.Fields(env[name]), 0, exe)); h != "" {
				how, port, v.Evidence = h, n, name+" has "+exe+" listen for a debugger"
			}
		}
	}
	if v.Name = how; port != 0 {
		v.Ports = []int{port}
	}
	return v, how != ""
}

// debugged names the debugger that a command line of an interpreter has it listen for, "" for none, and its port, 0 where that is not told.
// Only options before the script count: what follows is the program's own.
func debugged(exe string, argv []string) (how string, port int) {
	node := exe == "node" || exe == "nodejs" || exe == "bun"
	for i := 1; i < len(argv); i++ {
		a := argv[i]
		key, value, _ := strings.Cut(a, "=")
		switch {
		case exe == "java" && jdwp.MatchString(a) && strings.Contains(a, "server=y"):
			how, port = "JDWP", jdwpPort(a)
		case node && nodeInspect.MatchString(a):
			if strings.HasSuffix(key, "-port") {
				if value == "" && i+1 < len(argv) {
					value = argv[i+1]
				}
			} else if how == "" {
				how, port = "Node inspector", max(port, inspectorPort)
			}
			port = nodePort(value, port)
		case strings.HasPrefix(exe, "python") && a == "-m" && i+1 < len(argv):
			return pythonDebugger(argv[i+1:])
		case strings.HasPrefix(exe, "python") && path.Base(a) == "adapter" && path.Base(path.Dir(a)) == "debugpy":
			return "debugpy", portAtEnd(argument(argv, "--port"))
		case !strings.HasPrefix(a, "-"):
			if exe == "java" && slices.Contains(valued["java"], argv[i-1]) || exe != "java" && slices.Contains(valued["node"], argv[i-1]) {
				continue
			}
			i = len(argv)
		}
	}
	if how == "" {
		port = 0
	}
	return how, port
}

// pythonDebugger is the debugger that a module with its arguments is. Who connects to debugpy connects to an adapter that it starts: a process
// of its own, which has the port.
func pythonDebugger(module []string) (how string, port int) {
	option := map[string]string{"pydevd": "--port", "debugpy": "--listen"}[module[0]]
	if i := slices.Index(module, option); option != "" && i >= 0 && i+1 < len(module) { // what stands later is the program's that is debugged
		return "debugpy", portAtEnd(module[i+1])
	}
	return "", 0
}

// nodePort is the port of an option of Node, "[host:]port" or a host alone, and what was told before where it has none.
func nodePort(value string, before int) int {
	if n := portAtEnd(value); n != 0 {
		return n
	}
	if value == "0" || strings.HasSuffix(value, ":0") { // the kernel chooses
		return 0
	}
	return before
}

// jdwpPort is the port of "…,address=[host:]port,…".
func jdwpPort(option string) int {
	_, rest, _ := strings.Cut(option, "address=")
	at, _, _ := strings.Cut(rest, ",")
	return portAtEnd(at)
}

// portAtEnd is the port at the end of "[host:]port", 0 for none.
func portAtEnd(at string) int {
	n, err := strconv.ParseUint(at[strings.LastIndex(at, ":")+1:], 10, 16)
	if err != nil {
		return 0
	}
	return int(n)
}
