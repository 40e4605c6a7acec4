//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// Whether an instance asks for authentication is a fact of several places: arguments, the environment, files that they name or that the
// program looks for by itself. The first that decides it counts. What one of them leaves open, and what cannot be read, is unknown.

// The values of Agent.Auth besides token, password and login.
const (
	authNone = "none"
	authSome = "some" // a part of the interface asks for a key, and a part does not
)

// authOf reads from the arguments, the environment and the files of an instance whether it asks for authentication. Absent: they do not
// say, so the default of the runtime holds.
func (s *Scan) authOf(pt *pattern, p *process) snapshot.Fact {
	argv := p.argv
	if pt.Wraps {
		argv = beforeWrapped(p)
	}
	line := strings.Join(argv, " ")
	switch {
	case pt.noAuthRe != nil && pt.noAuthRe.MatchString(line):
		return present(authNone)
	case pt.authRe != nil && givesKey(argv, pt.authRe):
		return present("%s", pt.asks())
	case p.cut:
		return snapshot.Fact{State: snapshot.Error, Reason: "it has more arguments than are read"}
	case !pt.asksEnvironment() && authFiles[pt.Name] == nil:
		return s.namedFile(pt, p, nil)
	}
	env, err := s.environ(p)
	if err != nil && !gone(err) {
		return snapshot.Fact{State: snapshot.Error, Reason: "its environment was not read: " + err.Error()}
	}
	if f := pt.authBy(env); f.State != snapshot.Absent {
		return f
	}
	return s.namedFile(pt, p, env)
}

// beforeWrapped are the arguments of a program, behind its launchers, up to those of a program that it starts itself.
func beforeWrapped(p *process) []string {
	args := p.runsArgs()
	if i := slices.Index(args, "--"); i >= 0 {
		args = args[:i]
	}
	return args
}

// givesKey says whether an option of such a name is given, with a value if it takes one: "--api-key=" of a variable without a value is none.
func givesKey(argv []string, option *regexp.Regexp) bool {
	var list []string
	for _, a := range argv {
		if strings.Contains(a, " ") { // a command line as one text
			list = append(list, strings.Fields(a)...)
		} else {
			list = append(list, a)
		}
	}
	for i, a := range list {
		key, value, given := strings.Cut(a, "=")
		switch {
		case given:
			if value != "" && option.MatchString(key+"=") {
				return true
			}
		case i+1 < len(list):
			if list[i+1] != "" && option.MatchString(a+" ") {
				return true
			}
		case option.MatchString(a):
			return true
		}
	}
	return false
}

// asks is how an instance authenticates that has a key.
func (pt *pattern) asks() string {
	if pt.AuthOf != "" {
		return pt.AuthOf
	}
	return "token"
}

var plainVersion = lazily(`^v?([0-9]{1,6})\.([0-9]{1,6})(?:\.([0-9]{1,6}))?(-)?`)

// defaultOf is how a version asks by default, for a runtime that has changed it: not known without the version.
func (pt *pattern) defaultOf(version snapshot.Fact) string {
	v, since := versionNumbers(version.Value), versionNumbers(pt.AuthSince)
	switch {
	case version.State != snapshot.Present || v == nil:
		return "unknown"
	case slices.Compare(v, since) < 0:
		return pt.AuthBefore
	}
	return pt.Auth
}

// versionNumbers are the numbers of a version, nil of what is none. What is before a release is not that release.
func versionNumbers(version string) (list []int) {
	m := plainVersion.FindStringSubmatch(version)
	if m == nil {
		return nil
	}
	for _, n := range m[1:4] {
		list = append(list, atoiOr(n, 0))
	}
	if m[4] != "" {
		return append(list, -1)
	}
	return append(list, 0)
}

// asksEnvironment says whether a runtime's authentication depends on its environment.
func (pt *pattern) asksEnvironment() bool {
	return len(pt.AuthEnv)+len(pt.NoAuthEnv)+len(pt.NoAuthUnless)+len(pt.AuthWhen) > 0
}

// authBy reads an environment.
func (pt *pattern) authBy(env map[string]string) snapshot.Fact {
	has := func(name string) bool { return env[name] != "" }
	unless := func(name string) bool {
		v, ok := env[name]
		return ok && !strings.EqualFold(v, pt.NoAuthUnless[name])
	}
	when := func(name string) bool { return strings.EqualFold(env[name], pt.AuthWhen[name]) }
	switch {
	case slices.ContainsFunc(pt.NoAuthEnv, has), slices.ContainsFunc(sortedKeys(pt.NoAuthUnless), unless):
		return present(authNone)
	case slices.ContainsFunc(pt.AuthEnv, has), slices.ContainsFunc(sortedKeys(pt.AuthWhen), when):
		return present("%s", pt.asks())
	}
	return snapshot.Fact{State: snapshot.Absent}
}

// agentFiles reads files as an instance sees them, and remembers what it could not read.
type agentFiles struct {
	s    *Scan
	p    *process
	env  map[string]string
	lost error
	// young is why the files may not be as the instance read them.
	young error
}

// text is the text of a file, "" where there is none.
func (f *agentFiles) text(file string) string {
	if !path.IsAbs(file) {
		cwd, err := f.s.Host.Readlink(fmt.Sprintf("/proc/%d/cwd", f.p.PID))
		if err != nil {
			f.lose(err)
			return ""
		}
		file = path.Join(cwd, file)
	}
	b, _, err := f.s.configOf(f.p, file)
	if err == nil && f.s.Host.Live() {
		var st host.Stat
		if st, err = f.s.statIn(f.p, file); err == nil {
			f.young = cmp.Or(f.young, f.s.changedAfter(f.p, file, st))
		}
	}
	if err != nil && !gone(err) {
		f.lose(err)
	}
	return string(b)
}

func (f *agentFiles) lose(err error) {
	if f.lost == nil {
		f.lost = err
	}
}

// home is the home directory of an instance.
func (f *agentFiles) home() string {
	if h := f.env["HOME"]; h != "" {
		return h
	}
	for _, u := range f.s.users() {
		if u.uid == f.p.UID && f.p.Container == "" {
			return u.home
		}
	}
	return "/"
}

// tree is a file of YAML; nil where there is none.
func (f *agentFiles) tree(file string) map[string]any {
	text := f.text(file)
	if text == "" {
		return nil
	}
	var m map[string]any
	if len(text) > maxYAML {
		f.lose(fmt.Errorf("%s: more than %d bytes", file, maxYAML))
	} else if yaml.Unmarshal([]byte(text), &m) != nil {
		f.lose(fmt.Errorf("%s: %w", file, errMalformed))
	}
	return m
}

// maxYAML bounds a file of YAML that anybody may have written.
const maxYAML = 256 << 10

// valueAt is a value below keys, nil where there is none. Dashes and underscores are the same.
func valueAt(m map[string]any, keys ...string) any {
	var v any = m
	for _, k := range keys {
		inner, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = nil
		for name, x := range inner {
			if strings.ReplaceAll(name, "-", "_") == strings.ReplaceAll(k, "-", "_") {
				v = x
			}
		}
	}
	return v
}

// authFiles reads the files of runtimes that have some which they look for by themselves, or that have a form that is known. It says
// none, token, password, or "" where they do not decide.
var authFiles = map[string]func(f *agentFiles, named []string) (string, error){
	"jupyter":     jupyterAuth,
	"code-server": codeServerAuth,
	"node-red":    nodeRedAuth,
	"dask":        daskAuth,
	"flowise":     flowiseAuth,
	"claude-code-router": func(f *agentFiles, _ []string) (string, error) {
		return f.key([]string{path.Join(f.home(), ".claude-code-router/config.json")}, "token", []string{"APIKEY"})
	},
	"vllm": func(f *agentFiles, named []string) (string, error) {
		return f.key(named, authSome, []string{"api_key"})
	},
	"litellm": func(f *agentFiles, named []string) (string, error) {
		return f.key(named, "token", []string{"general_settings", "master_key"})
	},
	"qdrant": func(f *agentFiles, named []string) (string, error) {
		own := []string{"/qdrant/config/config.yaml", "/qdrant/config/production.yaml", "config/config.yaml", "config/production.yaml", "/etc/qdrant/config.yaml"}
		return f.key(append(own, named...), "token", []string{"service", "api_key"})
	},
}

// daskAuth reads the directories of YAML in which Dask looks: with a CA it takes certificates of that CA alone.
func daskAuth(f *agentFiles, _ []string) (string, error) {
	var files []string
	for _, dir := range []string{"/etc/dask", path.Join(f.home(), ".config/dask"), path.Join(f.home(), ".dask"), f.env["DASK_CONFIG"]} {
		for _, ext := range []string{"yaml", "yml"} {
			if !path.IsAbs(dir) {
				continue
			}
			list, more := f.s.globIn(f.p, path.Join(dir, "*."+ext))
			if files = append(files, list...); more || len(files) > maxDataFiles {
				return "", errManyFiles
			}
		}
	}
	return f.key(files, "token", []string{"distributed", "comm", "tls", "ca_file"})
}

// key looks for a key in files of YAML.
func (f *agentFiles) key(files []string, auth string, at []string) (string, error) {
	for _, file := range files {
		m := f.tree(file)
		if v := valueAt(m, at...); isSet(v) && f.young == nil {
			return auth, nil
		}
		if slices.Contains(sortedKeys(m), "include") {
			f.lose(fmt.Errorf("%s includes other files", file))
		}
	}
	return "", cmp.Or(f.lost, f.young)
}

// namedFile reads what files say: those that options name, and those that the runtime looks for.
func (s *Scan) namedFile(pt *pattern, p *process, env map[string]string) snapshot.Fact {
	var named []string
	if pt.configRe != nil {
		named = valuesOfOption(p.argv, pt.configRe)
	}
	read := authFiles[pt.Name]
	if read == nil {
		if len(named) > 0 {
			return snapshot.Fact{State: snapshot.Error, Reason: "the file that it is configured by was not read"}
		}
		return snapshot.Fact{State: snapshot.Absent}
	}
	auth, err := read(&agentFiles{s: s, p: p, env: env}, named)
	switch {
	case err != nil:
		return snapshot.Fact{State: snapshot.Error, Reason: err.Error()}
	case auth == "":
		return snapshot.Fact{State: snapshot.Absent}
	}
	return present("%s", auth)
}

// valuesOfOption are the values of options that have such a name.
func valuesOfOption(argv []string, name *regexp.Regexp) (list []string) {
	for i, a := range argv {
		key, value, given := strings.Cut(a, "=")
		switch {
		case !name.MatchString(key):
		case given:
			list = append(list, value)
		case i+1 < len(argv):
			list = append(list, argv[i+1])
		}
	}
	return list
}

// codeServerAuth reads the arguments of code-server, of which the last counts, and then its configuration: ~/.config/code-server/config.yaml, or what
// --config or the environment names. Without auth in them a password is asked for. It writes the file itself when it is started without one.
func codeServerAuth(f *agentFiles, named []string) (string, error) {
	argv := f.p.argv
	if i := slices.Index(argv, "--"); i >= 0 {
		argv = argv[:i]
	}
	file := path.Join(f.home(), ".config/code-server/config.yaml")
	if v := f.env["XDG_CONFIG_HOME"]; v != "" {
		file = path.Join(v, "code-server/config.yaml")
	}
	if v := f.env["CODE_SERVER_CONFIG"]; v != "" {
		file = v
	}
	if len(named) > 0 {
		file = named[len(named)-1]
	}
	var auth any = last(optionValues(argv, "--auth"))
	if from := "its arguments"; auth != "" {
		file = from
	} else if auth = valueAt(f.tree(file), "auth"); f.lost != nil || f.young != nil {
		return "", cmp.Or(f.lost, f.young)
	}
	switch auth {
	case "none":
		return authNone, nil
	case nil, "password":
		return "", nil
	}
	return "", fmt.Errorf("%s: auth is neither none nor password", file)
}

// flowiseAuth is the user and the password that Flowise before 3.0.1 asks for if it has both, by options or the environment.
func flowiseAuth(f *agentFiles, _ []string) (string, error) {
	for _, name := range []string{"FLOWISE_USERNAME", "FLOWISE_PASSWORD"} {
		if cmp.Or(last(optionValues(f.p.argv, "--"+name)), f.env[name]) == "" {
			return "", nil
		}
	}
	return "password", nil
}
