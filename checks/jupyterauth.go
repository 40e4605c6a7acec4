//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// jupyterSetting is a value that a file or an argument gives to a trait of a class; name is what the file is called, without its ending.
type jupyterSetting struct{ name, class, key, value string }

// jupyterSettings is what configurations of Jupyter say of authentication, the later before the earlier.
type jupyterSettings struct {
	list   []jupyterSetting
	unsure map[string]error // by name
}

// jupyterReading is which files a server of Jupyter has, besides those that each has, and by which classes it goes.
type jupyterReading struct{ names, classes []string }

// Names of files and of settings that each server has.
const (
	jupyterCommon   = "jupyter_config"
	jupyterNamed    = "--config"
	jupyterArgument = "arguments"
)

var (
	serverClasses = []string{"ServerApp", "IdentityProvider", "PasswordIdentityProvider"}
	jupyterAll    = jupyterReading{
		[]string{"jupyter_notebook_config", "jupyter_server_config", "jupyter_lab_config"}, append([]string{"NotebookApp", "LabApp"}, serverClasses...),
	}
	jupyterClassic = jupyterReading{[]string{"jupyter_notebook_config"}, []string{"NotebookApp"}}
	jupyterServer  = jupyterReading{[]string{"jupyter_server_config"}, serverClasses}
	jupyterLab     = jupyterReading{[]string{"jupyter_server_config", "jupyter_lab_config"}, append([]string{"LabApp"}, serverClasses...)}
)

var jupyterProgram = lazily(`(?:(?:^|/)jupyter[-_ ]|^\S+ -m (?:jupyter[-_ ]?)?)(lab|notebook|server)(?:\s|$)`)

// jupyterReadings are the servers that a process can be: the notebook before version 7 has classes and files of its own, and has those of the server
// since; so has JupyterLab since version 3.
func jupyterReadings(argv []string) []jupyterReading {
	m := jupyterProgram.FindStringSubmatch(strings.Join(argv[:min(len(argv), 3)], " ") + " ")
	if m == nil && len(argv) > 1 {
		m = jupyterProgram.FindStringSubmatch(strings.Join(argv[1:min(len(argv), 3)], " "))
	}
	switch {
	case m == nil:
		return []jupyterReading{jupyterClassic, jupyterServer, jupyterLab, jupyterAll}
	case m[1] == "server":
		return []jupyterReading{jupyterServer}
	case m[1] == "lab":
		return []jupyterReading{jupyterLab, jupyterAll}
	}
	return []jupyterReading{jupyterClassic, jupyterAll}
}

// jupyterSince is which of the readings a version of Jupyter's server leaves: classes of its own for who comes it has since version 2. Without a
// version it is each of the two.
func jupyterSince(version snapshot.Fact, readings []jupyterReading) (list []jupyterReading) {
	major, _, ok := strings.Cut(version.Value, ".")
	for _, r := range readings {
		older := jupyterReading{r.names, slices.DeleteFunc(slices.Clone(r.classes), func(c string) bool { return strings.Contains(c, "IdentityProvider") })}
		if !ok || atoi(major) >= 2 {
			list = append(list, r)
		}
		if (!ok || atoi(major) < 2) && (ok || len(older.classes) != len(r.classes)) {
			list = append(list, older)
		}
	}
	return list
}

// jupyterAuth reads the files of Jupyter in their order, the later before the earlier, and then the arguments (jupyter_core, traitlets). A file that
// is named is instead of those of the server, and is read with both endings.
func jupyterAuth(f *agentFiles, named []string) (string, error) {
	set := &jupyterSettings{unsure: map[string]error{}}
	dirs := jupyterDirs(f)
	slices.Reverse(dirs)
	for _, name := range append([]string{jupyterCommon}, jupyterAll.names...) {
		if len(named) > 0 && name != jupyterCommon {
			continue
		}
		for _, dir := range dirs {
			set.file(f, name, path.Join(dir, name))
		}
	}
	if len(named) > 0 {
		file := named[len(named)-1]
		set.file(f, jupyterNamed, strings.TrimSuffix(file, path.Ext(file)))
	}
	set.arguments(f.p.argv)
	if f.lost != nil {
		return "", f.lost
	}
	if f.young != nil {
		return "", f.young
	}
	auth := ""
	for i, r := range jupyterSince(f.s.pythonVersion("jupyter_server", f.p), jupyterReadings(f.p.argv)) {
		a, err := set.auth(r)
		if err != nil {
			return "", err
		}
		if i > 0 && a != auth {
			return "", errors.New("which of its settings count hangs on the version of Jupyter")
		}
		auth = a
	}
	return auth, nil
}

// file reads both forms of a file, of which JSON counts before Python.
func (j *jupyterSettings) file(f *agentFiles, name, base string) {
	j.python(name, f.text(base+".py"))
	j.json(name, f.tree(base+".json"))
}

// auth is how a server of Jupyter asks who comes; "" for its default, a token that it makes up.
func (j *jupyterSettings) auth(r jupyterReading) (string, error) {
	names := append([]string{jupyterCommon, jupyterNamed, jupyterArgument}, r.names...)
	for _, name := range names {
		if err := j.unsure[name]; err != nil {
			return "", err
		}
	}
	set := map[string]string{}
	for _, s := range j.list {
		if !slices.Contains(names, s.name) || !slices.Contains(r.classes, s.class) {
			continue
		}
		switch s.key {
		case "token":
			set["token"] = s.value
		case "password", "hashed_password":
			set["password"] = s.value
		case "identity_provider_class", "login_handler_class":
			return "", errors.New("another program logs in for Jupyter")
		}
	}
	token, given := set["token"]
	switch {
	case set["password"] != "":
		return "password", nil
	case given && token == "":
		return authNone, nil
	}
	return "", nil
}

// arguments reads settings of classes; the value stands behind an equals sign or is the next argument, and can have quotes of its own.
func (j *jupyterSettings) arguments(argv []string) {
	for i, a := range argv {
		key, value, given := strings.Cut(a, "=")
		if name, ok := strings.CutPrefix(key, "--"); ok && strings.Contains(name, ".") {
			if !given && i+1 < len(argv) {
				value = argv[i+1]
			}
			if lit := pythonLiteral.FindStringSubmatch(value); lit != nil {
				value = lit[1] + lit[2]
			}
			j.assign(jupyterArgument, name, value)
		}
	}
}

// jupyterDirs are the directories of configurations, the first before the others.
func jupyterDirs(f *agentFiles) []string {
	var dirs []string
	dirs = append(dirs, strings.FieldsFunc(f.env["JUPYTER_CONFIG_PATH"], func(r rune) bool { return r == ':' })...)
	if v := f.env["JUPYTER_CONFIG_DIR"]; v != "" {
		dirs = append(dirs, v)
	} else {
		dirs = append(dirs, path.Join(f.home(), ".jupyter"))
	}
	dirs = append(dirs, path.Join(f.home(), ".local/etc/jupyter"))
	for _, a := range f.p.argv[:min(len(f.p.argv), 2)] { // of a virtual environment: beside its programs
		if dir := path.Dir(path.Dir(a)); path.IsAbs(a) && !slices.Contains(dirs, path.Join(dir, "etc/jupyter")) {
			dirs = append(dirs, path.Join(dir, "etc/jupyter"))
		}
	}
	for _, d := range []string{path.Join(path.Dir(path.Dir(f.p.Exe)), "etc/jupyter"), "/usr/local/etc/jupyter", "/etc/jupyter"} {
		if path.IsAbs(d) && !slices.Contains(dirs, d) {
			dirs = append(dirs, d)
		}
	}
	return dirs
}

// assign notes a setting of a class.
func (j *jupyterSettings) assign(name, trait, value string) {
	class, key, ok := strings.Cut(trait, ".")
	if ok && slices.Contains(jupyterAll.classes, class) {
		j.list = append(j.list, jupyterSetting{name, class, key, value})
	}
}

func (j *jupyterSettings) json(name string, m map[string]any) {
	for _, class := range sortedKeys(m) {
		inner, _ := m[class].(map[string]any)
		for _, key := range sortedKeys(inner) {
			if v, ok := inner[key].(string); ok {
				j.assign(name, class+"."+key, v)
			}
		}
	}
}

var (
	jupyterLine   = lazily(`^c\.(\w+\.\w+)\s*=\s*(.*?)\s*(?:#.*)?$`)
	pythonLiteral = lazily(`^u?(?:'([^'\\]*)'|"([^"\\]*)")$`)
	jupyterTells  = lazily(`token|password|identity_provider|login_handler|load_subconfig|exec\(|import_module`)
)

// python reads a configuration that is a program: assignments of literals at its top level are understood, and of other lines no more
// than that they are about authentication.
func (j *jupyterSettings) python(name, text string) {
	unfollowed := errors.New("its configuration is a program that was not followed")
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		if bare := strings.TrimSpace(line); bare == "" || bare[0] == '#' || !jupyterTells.MatchString(bare) {
			continue
		}
		m := jupyterLine.FindStringSubmatch(line)
		if m == nil {
			j.unsure[name] = unfollowed
			continue
		}
		if lit := pythonLiteral.FindStringSubmatch(m[2]); lit != nil {
			j.assign(name, m[1], lit[1]+lit[2])
		} else if !slices.Contains([]string{"True", "False", "None"}, m[2]) {
			j.unsure[name] = unfollowed
		}
	}
}
