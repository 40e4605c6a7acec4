package power

import (
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/rego"
	"github.com/ringfence/ringfence/snapshot"
)

// commandGives is why it is not known that who runs a command as somebody becomes them; "" if they do. Of root, more is certain.
func (g *Graph) commandGives(s *State, r *snapshot.SudoRule, text string, root bool) string {
	if text == "ALL" || r.SetEnv {
		return ""
	}
	words := strings.Fields(text)
	if len(words) == 0 {
		return "a rule of sudo has a command without a name"
	}
	if regular(text) {
		return "a rule of sudo has a regular expression"
	}
	if everyProgram(words) {
		return ""
	}
	if len(words) == 2 && words[1] == `""` && !g.programOpen(s, words[0]) {
		return g.aloneGives(words[0])
	}
	return g.wordsGive(s, words, open(words), root)
}

// wordsGive is commandGives of words; wild says that a * among the arguments leaves open what it runs, as it matches blanks and more arguments.
func (g *Graph) wordsGive(s *State, words []string, wild, root bool) string {
	name := stem(path.Base(words[0]))
	anything := runsOthers(name) || writes(name) || root && slices.Contains(rego.Gains().Becomes, name)
	switch {
	case slices.ContainsFunc(g.snap.Powers.Files, func(f snapshot.LeverFile) bool { return commanded(words, &f) && opened(s, &f, "/") != nil }):
		return ""
	case slices.Contains(rego.Gains().Typed, name) && !slices.Contains(words, "-Z"):
		return "" // its user types commands into it, whatever its arguments
	case narrow(name, words):
	case anything && (len(words) == 1 || wild && name != "sudoedit"): // whose stars match no slash
		return ""
	case asks(name, words[1:], root), root && decidesBy(name, words[1:]):
		return ""
	}
	return "what " + words[0] + " lets who runs it do was not followed"
}

// Programs of which words before others decide what they run: whom they make of who starts them, what they do, and which program or script runs.
var (
	ofNames  = strings.Fields("su passwd runuser")
	ofDoings = strings.Fields("apk at crontab doas machinectl pacman pkexec sudo sudo-rs zypper")
	ofFirst  = strings.Fields("sh bash dash zsh ksh ash csh tcsh fish python perl ruby lua node php tclsh env nice ionice nohup timeout stdbuf setsid time strace ltrace taskset")
)

// open says of the words of a command that a * among its arguments leaves open what it runs: what stands before may have decided that.
func open(words []string) bool {
	name := stem(path.Base(words[0]))
	i := 1 + slices.IndexFunc(words[1:], func(w string) bool { return strings.Contains(w, "*") })
	if i == 0 {
		return false
	}
	before := words[1:i]
	switch {
	case slices.Contains(ofNames, name):
		matched, err := path.Match(words[i], "root")
		return matched && err == nil && !slices.ContainsFunc(before, func(w string) bool { return name == "passwd" || !slices.Contains(suArgs, w) })
	case slices.Contains(ofDoings, name):
		return i == 1 && words[i][0] == '*'
	case slices.Contains(ofFirst, name):
		return !slices.ContainsFunc(before, func(w string) bool { return strings.Contains(w, "/") || slices.Contains(asking, name) && w[0] != '-' })
	}
	return true
}

// programOpen says of a program that a state may change it.
func (g *Graph) programOpen(s *State, p string) bool {
	return slices.ContainsFunc(g.snap.Powers.Files, func(f snapshot.LeverFile) bool { return commanded([]string{p}, &f) && opened(s, &f, "/") != nil })
}

// asking are programs that without arguments do what they are told on their standard input.
var asking = []string{"sh", "bash", "dash", "zsh", "ksh", "ash", "csh", "tcsh", "fish", "python", "perl", "ruby", "lua", "node", "tclsh", "gdb", "irb", "ftp"}

// aloneGives is why it is not known that a program without arguments gives who runs it as somebody that; a shell asks for commands.
func (g *Graph) aloneGives(p string) string {
	if name := stem(path.Base(p)); slices.Contains(rego.Gains().Typed, name) || slices.Contains(asking, name) {
		return ""
	}
	return "what " + p + " without arguments lets who runs it do was not followed"
}

// commanded says of a file that a command runs it: its program, one of a pattern, or what it runs by an argument.
func commanded(words []string, f *snapshot.LeverFile) bool {
	if f.Path == words[0] || f.Of == words[0] && f.Unsure == "" {
		return true
	}
	return f.Unsure == "" && (strings.HasSuffix(f.By, "sudo") || strings.HasSuffix(f.By, "doas")) && slices.ContainsFunc(words, func(w string) bool {
		return f.Path == w || path.Dir(f.Path) == w || strings.ContainsAny(w, "*?[/") && f.Path == path.Dir(w)
	})
}

// everyProgram says of a command that it is every program of a directory of the system, with whatever arguments.
func everyProgram(words []string) bool {
	return len(words) == 1 && slices.Contains([]string{"/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/"}, strings.TrimSuffix(words[0], "*"))
}

// narrow says of the words of a command that the first of them keeps its program to what does not give who runs it more, whatever comes after.
func narrow(name string, words []string) bool {
	list := rego.Gains().Narrow[name]
	i := slices.IndexFunc(words[1:], func(w string) bool { return !strings.HasPrefix(w, "-") })
	if i < 0 || strings.ContainsAny(words[1+i], "*?[") {
		return false
	}
	return slices.Contains(list, words[1+i]) || slices.Contains(list, "*")
}

// Arguments with which a program asks its user, at a terminal, for the commands that it runs, or lets them in as root.
var (
	askingArgs = strings.Fields("- -i -l -s -p -il -li --login")
	suArgs     = strings.Fields("- -l -m -p --login --preserve-environment root")
)

// asks says of a program that with these arguments it runs what its user types, as who it runs as; some do so for root alone.
func asks(name string, args []string, root bool) bool {
	only := func(list ...string) bool {
		return len(args) > 0 && !slices.ContainsFunc(args, func(a string) bool { return !slices.Contains(list, a) })
	}
	switch {
	case !root:
	case name == "su":
		return only(suArgs...)
	case name == "passwd":
		return only("root")
	case name == "crontab":
		return only("-e", "-", "-u", "root") && (slices.Contains(args, "-e") || slices.Contains(args, "-"))
	}
	return slices.Contains(asking, name) && only(askingArgs...)
}

// decidesBy says of a program that writes the files of its arguments that one of them decides what root does.
func decidesBy(name string, args []string) bool {
	if !slices.Contains([]string{"tee", "sudoedit", "sponge"}, name) {
		return false
	}
	return slices.ContainsFunc(args, func(a string) bool {
		return !strings.ContainsAny(a, "*?[") && path.Clean(a) == a && slices.ContainsFunc(rego.Gains().Decides, func(d string) bool {
			return a == d || strings.HasSuffix(d, "/") && strings.HasPrefix(a, d)
		})
	})
}

// besides is what a command surely gives who runs it as root, without making them root: "" if nothing is known.
func besides(text string) Goal {
	words := strings.Fields(text)
	if len(words) == 0 || regular(text) || len(words) > 1 && !open(words) {
		return ""
	}
	switch name := stem(path.Base(words[0])); {
	case reads(name):
		return Secret
	case slices.Contains(rego.Gains().Filters, name) && len(words) == 1:
		return Filter
	}
	return ""
}

// runsOthers says of a program that it runs what its user tells it to.
func runsOthers(name string) bool { return slices.Contains(rego.Gains().Runs, stem(name)) }

// writes says of a program that it writes or reads the files that its arguments name.
func writes(name string) bool { return slices.Contains(rego.Gains().Writes, stem(name)) }

// stem is the name of a program without its version: python3.11 is python.
func stem(name string) string { return strings.TrimRight(name, "0123456789.") }

// reads says of a program that it reads the files that its arguments name, and writes none.
func reads(name string) bool { return slices.Contains(rego.Gains().Reads, stem(name)) }
