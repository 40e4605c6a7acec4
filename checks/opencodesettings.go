//go:build linux && !ringfence_portable

package checks

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// openCodeManaged is the directory of the administrator's settings.
const openCodeManaged = "/etc/opencode"

// openCodeDefault is why commands run without a question where nobody has said anything of them.
const openCodeDefault = "its default, as no permission for bash is set"

// openCode reads settings of opencode, each of which gives way to those that come after it. By is what reads a file as its user.
type openCode struct {
	by    func(file string) ([]byte, error)
	env   map[string]string
	dirs  []string // that can have files of agents of their own
	all   object
	found []string // the files that were read
	home  string   // of the user
}

// load puts the settings of a file over those before it; one that is not there says nothing.
func (o *openCode) load(file string) error {
	b, err := o.by(file)
	if gone(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file, cause(err))
	}
	o.found = append(o.found, file)
	return o.add(file, b)
}

// add puts the settings of a text over those before it.
func (o *openCode) add(from string, text []byte) error {
	v, err := orderedJSON(text)
	top, ok := v.(*object)
	if err != nil || !ok {
		return fmt.Errorf("%s: %w", from, errMalformed)
	}
	if word, ok := top.get("permission").(string); ok {
		top.set("permission", &object{keys: []string{"*"}, vals: map[string]any{"*": word}})
	}
	o.all.merge(top)
	return nil
}

// loadAll puts both files of a directory over the settings before them.
func (o *openCode) loadAll(dir string) error {
	return errors.Join(o.load(path.Join(dir, "opencode.json")), o.load(path.Join(dir, "opencode.jsonc")))
}

// loadGlobal reads the settings of all projects.
func (o *openCode) loadGlobal(dir string) error {
	o.dirs = append(o.dirs, dir)
	return errors.Join(o.load(path.Join(dir, "config.json")), o.loadAll(dir))
}

// rule is what one place says of commands: the last that is for all commands counts.
type rule struct{ action, how string }

// rules are what an object of permissions says of all commands.
func (o *openCode) rules(v any, where string) (list []rule, err error) {
	if word, ok := v.(string); ok {
		v = &object{keys: []string{"*"}, vals: map[string]any{"*": word}}
	}
	perms, _ := v.(*object)
	for _, key := range perms.names() {
		if !openCodeWild(key, "bash") {
			continue
		}
		words, ok := perms.get(key).(*object)
		if !ok {
			words = &object{keys: []string{"*"}, vals: map[string]any{"*": perms.get(key)}}
		}
		for _, pattern := range words.names() {
			word, _ := words.get(pattern).(string)
			word = openCodeVariable.ReplaceAllStringFunc(word, func(v string) string { return o.env[v[5:len(v)-1]] })
			if !forAllCommands(pattern) {
				continue
			}
			if !slices.Contains([]string{"allow", "ask", "deny"}, word) {
				return nil, fmt.Errorf("%s.%s is not known", where, key)
			}
			list = append(list, rule{word, fmt.Sprintf("%s.%s is %s", where, key, word)})
		}
	}
	return list, nil
}

var openCodeVariable = lazily(`\{env:[^}]+\}`)

// forAllCommands says of a pattern that it is for every command, and not for some alone.
func forAllCommands(pattern string) bool {
	return strings.Trim(pattern, "*? ") == "" && openCodeWild(pattern, "ls") && openCodeWild(pattern, "git push -f")
}

// openCodeWild says whether a pattern of opencode is for a name. Of "git *" the end can be missing.
func openCodeWild(pattern, name string) bool {
	if !strings.ContainsAny(pattern, "*?") {
		return pattern == name
	}
	text := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
	if before, ok := strings.CutSuffix(text, " .*"); ok {
		text = before + "( .*)?"
	}
	re, err := regexp.Compile("^(?s:" + text + ")$")
	return err == nil && re.MatchString(name)
}

// toolRules are what the older switches of tools say of commands.
func toolRules(v any, where string) (list []rule) {
	tools, _ := v.(*object)
	for _, key := range tools.names() {
		if on, ok := tools.get(key).(bool); ok && openCodeWild(key, "bash") {
			list = append(list, rule{map[bool]string{true: "allow", false: "deny"}[on], fmt.Sprintf("%s.%s is %v", where, key, on)})
		}
	}
	return list
}

// brake says what lets an agent run commands without a question, "" if it asks. Its own files of Markdown are not followed.
func (o *openCode) brake(agent string) (how string, err error) {
	if name, ok := o.all.get("default_agent").(string); ok && agent == "" {
		agent = name
	}
	if agent == "" {
		agent = "build"
	}
	if err := o.written(agent); err != nil {
		return "", err
	}
	list := append([]rule{{"allow", openCodeDefault}}, toolRules(o.all.get("tools"), "tools")...)
	more, err := o.rules(o.all.get("permission"), "permission")
	if err != nil {
		return "", err
	}
	list = append(list, more...)
	for _, kind := range []string{"agent", "mode"} {
		agents, _ := o.all.get(kind).(*object)
		own, _ := agents.get(agent).(*object)
		where := kind + "." + agent
		list = append(list, toolRules(own.get("tools"), where+".tools")...)
		if more, err = o.rules(own.get("permission"), where+".permission"); err != nil {
			return "", err
		}
		list = append(list, more...)
	}
	if end := list[len(list)-1]; end.action == "allow" {
		return end.how, nil
	}
	return "", nil
}

// written is an error if an agent has a file of its own that says something of permissions.
func (o *openCode) written(agent string) error {
	if strings.ContainsAny(agent, "/\x00") {
		return errors.New("its agent is no name")
	}
	for _, dir := range o.dirs {
		for _, kind := range []string{"agent", "agents", "mode", "modes"} {
			file := path.Join(dir, kind, agent+".md")
			b, err := o.by(file)
			if gone(err) {
				continue
			}
			if err != nil {
				return fmt.Errorf("%s: %w", file, cause(err))
			}
			if bytes.Contains(b, []byte("permission")) || bytes.Contains(b, []byte("tools")) {
				return fmt.Errorf("%s was not followed", file)
			}
		}
	}
	return nil
}

// openCodeHome is what settings of an account, and the administrator's, say of an opencode that it starts. An account without a trace of opencode
// has none.
func (s *Scan) openCodeHome(u *user) (b snapshot.AgentBrake, ok bool) {
	o := &openCode{by: func(file string) ([]byte, error) { return s.readAs(u, file) }}
	dir := path.Join(u.home, ".config/opencode")
	b = snapshot.AgentBrake{Runtime: "opencode", Title: "opencode", UID: u.uid, User: u.name, File: path.Join(dir, "opencode.json")}
	err := o.loadGlobal(dir)
	o.dirs = append(o.dirs, path.Join(u.home, ".opencode"))
	err = errors.Join(err, o.loadAll(o.dirs[1]))
	if len(o.found) > 0 {
		b.File = o.found[len(o.found)-1]
	} else if _, no := s.readAs(u, path.Join(u.home, ".local/share/opencode/auth.json")); no != nil && err == nil {
		return b, false
	}
	if err = errors.Join(err, o.loadAll(openCodeManaged)); err == nil {
		b.How, err = o.brake("")
	}
	switch {
	case err != nil:
		b.Unread = firstError(err).Error()
	case b.How == "":
		return b, false
	default:
		b.Off, b.Default = "approvals", b.How == openCodeDefault
	}
	return b, true
}

// firstError is the first of several errors.
func firstError(err error) error {
	if several, ok := err.(interface{ Unwrap() []error }); ok && len(several.Unwrap()) > 0 {
		return firstError(several.Unwrap()[0])
	}
	return err
}

// openCodeBrake is what a running opencode runs commands without a question by, if settings of its account do not say the same by themselves.
func (s *Scan) openCodeBrake(p *process) (how string, err error) {
	env, err := s.environ(p)
	if err != nil && !gone(err) {
		return "", fmt.Errorf("its environment, which has settings, was not read: %w", cause(err))
	}
	o := &openCode{env: env, home: s.homeOf(p, env, "", ""), by: func(file string) ([]byte, error) {
		b, _, err := s.readNamed(p, file)
		return b, err
	}}
	if err := s.openCodeLayers(p, o); err != nil {
		return "", firstError(err)
	}
	if how, err = o.brake(argument(p.argv, "--agent")); err != nil || how == "" || p.Container != "" {
		return how, err
	}
	users, _ := s.homes()
	for i := range users {
		if users[i].uid == p.UID && users[i].home == o.home {
			if b, ok := s.openCodeHome(&users[i]); ok && b.How == how {
				return "", nil
			}
		}
	}
	return how, nil
}

// openCodeLayers reads what a running opencode has read, each place after those that give way to it.
func (s *Scan) openCodeLayers(p *process, o *openCode) error {
	cwd, err := s.Host.Readlink(fmt.Sprintf("/proc/%d/cwd", p.PID))
	if err != nil {
		return fmt.Errorf("its working directory, which has settings, was not read: %w", cause(err))
	}
	config := o.env["XDG_CONFIG_HOME"]
	if config == "" {
		config = path.Join(o.home, ".config")
	}
	errs := []error{o.loadGlobal(path.Join(config, "opencode"))}
	if file := o.env["OPENCODE_CONFIG"]; file != "" {
		errs = append(errs, o.load(openCodeAt(cwd, file)))
	}
	var project []string // from the working directory upwards
	if v := o.env["OPENCODE_DISABLE_PROJECT_CONFIG"]; v != "1" && !strings.EqualFold(v, "true") {
		if project, err = s.projectDirs(p, cwd); err != nil {
			return err
		}
	}
	for _, dir := range slices.Backward(project) {
		errs = append(errs, o.loadAll(dir))
	}
	for _, dir := range append(project, o.home) {
		o.dirs = append(o.dirs, path.Join(dir, ".opencode"))
		errs = append(errs, o.loadAll(path.Join(dir, ".opencode")))
	}
	if dir := o.env["OPENCODE_CONFIG_DIR"]; dir != "" {
		o.dirs = append(o.dirs, openCodeAt(cwd, dir))
		errs = append(errs, o.loadAll(openCodeAt(cwd, dir)))
	}
	if text := o.env["OPENCODE_CONFIG_CONTENT"]; text != "" {
		errs = append(errs, o.add("OPENCODE_CONFIG_CONTENT", []byte(text)))
	}
	errs = append(errs, o.loadAll(openCodeManaged))
	// A malformed value is passed over by the program.
	if v, err := orderedJSON([]byte(o.env["OPENCODE_PERMISSION"])); err == nil {
		if perms, ok := v.(*object); ok {
			o.all.merge(&object{keys: []string{"permission"}, vals: map[string]any{"permission": perms}})
		}
	}
	return errors.Join(errs...)
}

// openCodeAt is a path, which is below a directory unless it is absolute.
func openCodeAt(dir, file string) string {
	if path.IsAbs(file) {
		return path.Clean(file)
	}
	return path.Join(dir, file)
}

// projectDirs are the directories that can have settings of a project: the working one and those above it, up to the root of its repository.
func (s *Scan) projectDirs(p *process, cwd string) (dirs []string, err error) {
	for dir := cwd; ; dir = path.Dir(dir) {
		if len(dirs) >= maxProjects {
			return nil, fmt.Errorf("its working directory is below more than %d others", maxProjects)
		}
		dirs = append(dirs, dir)
		if dir == "/" {
			return dirs, nil
		}
		for _, file := range []string{".git/HEAD", ".git"} { // a worktree has a file
			if _, _, err := s.readNamed(p, path.Join(dir, file)); err == nil {
				return dirs, nil
			}
		}
	}
}
