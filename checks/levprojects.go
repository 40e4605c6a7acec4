//go:build linux && !ringfence_portable

package checks

import (
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// Bounds of what is in the directories of projects.
const (
	maxProjectFiles = 20_000
	maxProjectDepth = 12
)

// projectTools are programs that do what files below the directory say in which they run, or that an argument names.
var projectTools = strings.Fields("make gmake git npm npx yarn pnpm bun deno pm2 forever gulp grunt turbo lerna pip pipx pipenv poetry uv uvx tox nox hatch pytest gunicorn uvicorn hypercorn uwsgi " +
	"celery flask streamlit fastapi fab invoke docker docker-compose podman podman-compose nerdctl compose ansible ansible-pull ansible-playbook salt-call puppet chef-client chef-solo cinc-client " +
	"terraform terragrunt tofu pulumi packer vagrant helm helmfile kubectl kustomize composer artisan drush wp bundle bundler rake rails puma unicorn thin gem cap cargo go just task " +
	"cmake ninja meson scons bazel mvn mvnw gradle gradlew ant sbt lein mix dpkg-buildpackage debuild rpmbuild autoreconf hugo jekyll mkdocs direnv pre-commit tmuxp overmind foreman honcho")

// plainDirs are directories that are nobody's project, with files of many.
var plainDirs = strings.Fields("/ /root /home /tmp /run /srv /opt /mnt /media /dev /proc /sys /etc /usr /usr/local /usr/bin /usr/sbin /usr/lib /usr/share /bin /sbin /lib /var /var/tmp /var/log /var/lib " +
	"/var/spool /var/cache /var/mail /var/backups /var/www /boot")

// projects adds what others write in the directories by which a program is told what to do: all that is below those of a tool of projects, of others what is
// in the one that it runs in.
func (l *levers) projects(words []string, lever snapshot.LeverFile, at runsHere) {
	name := path.Base(words[0])
	if !slices.Contains(projectTools, strings.TrimRight(name, "0123456789.")) {
		if at.dir != "" && !slices.Contains(plainDirs, at.dir) {
			l.project(at.dir, name, lever, maxProjectDepth)
		}
		return
	}
	dirs := []string{at.dir}
	for _, w := range words[1:] {
		if _, value, ok := strings.Cut(w, "="); ok && options.MatchString(w) {
			w = value
		} else if len(w) > 2 && strings.HasPrefix(w, "-C") {
			w = w[2:]
		}
		if p := below(at.dir, w); p != "" && !strings.ContainsAny(p, "*?[") && l.w.part(p).st.IsDir {
			dirs = append(dirs, p)
		}
	}
	for _, dir := range dirs {
		if dir == "" || dir == "/" {
			continue
		}
		switch name {
		case "make", "gmake":
			l.makefiles(dir, words, lever, at)
		case "git":
			l.repository(dir, lever)
		default:
			l.packageScripts(dir, lever, at)
		}
		if dir != "/root" {
			l.project(dir, name, lever, 0)
		}
	}
}

// project adds what others decide of below a directory, who do not decide of that itself: of files that are the same people's the first.
func (l *levers) project(dir, name string, lever snapshot.LeverFile, depth int) {
	k := leverKey{path: dir, uid: lever.UID, trigger: lever.Trigger, of: "a project"}
	if depth > 0 {
		k.of = "what is in a directory"
	}
	if l.followed[k] {
		return
	}
	l.followed[k] = true
	l.later = append(l.later, func() { l.inProject(dir, name, lever, depth) })
}

// whole looks at the projects that were found: by then it is known what is surely run there.
func (l *levers) whole() {
	for _, look := range l.later {
		look()
	}
	l.later = nil
}

func (l *levers) inProject(dir, name string, lever snapshot.LeverFile, depth int) {
	_, dir, exists, err := l.w.writers(dir)
	if err != nil || !exists {
		return
	}
	lever.Kind = snapshot.LeverSystem
	if lever.Unsure == "" {
		lever.Unsure = "what " + name + " does by what is below " + dir + " was not followed"
	}
	w := projectWalk{l: l, lever: lever, seen: map[[3]int]bool{}, left: maxProjectFiles}
	w.seen[deciders(l.w.part(dir))] = true
	w.seen[[3]int{lever.UID}], w.seen[[3]int{}] = true, true
	w.below(dir, depth)
}

// projectWalk goes through the files of a project.
type projectWalk struct {
	l     *levers
	lever snapshot.LeverFile
	seen  map[[3]int]bool
	left  int
}

// deciders are who decides of a file by its mode: its owner, its group if that may write it, and whether everybody may.
func deciders(x pathPart) (who [3]int) {
	who[0] = x.st.UID
	if x.st.Perm&0o020 != 0 {
		who[1] = x.st.GID + 1
	}
	if x.st.Perm&0o002 != 0 && x.link == "" {
		who[2] = 1
	}
	return who
}

func (w *projectWalk) below(dir string, depth int) {
	for _, n := range w.l.namesIn(dir, host.MaxNames, "files") {
		if w.left--; w.left < 0 {
			w.l.out.partialIn("files", "%s has more files than are looked at", dir)
			return
		}
		w.lever.Path = path.Join(dir, n)
		x := w.l.w.part(w.lever.Path)
		if x.err != nil || !x.st.IsDir && !x.st.Mode.IsRegular() && x.link == "" || x.st.Perm&0o1000 != 0 && x.link == "" {
			continue
		}
		known := w.lever.UID == 0 && w.l.sure[w.lever.Path]
		if who := deciders(x); !known && (x.link != "" || len(x.acl) > 0 || !w.seen[who]) {
			w.seen[who] = w.seen[who] || x.link == ""
			w.l.add(w.lever)
		}
		if x.st.IsDir && depth < maxProjectDepth {
			w.below(w.lever.Path, depth+1)
		}
	}
}

// makefileNames are what make(1) looks for, in this order.
var makefileNames = []string{"GNUmakefile", "makefile", "Makefile"}

// makefiles adds the files that say what make does, and what those of root run and read.
func (l *levers) makefiles(dir string, words []string, lever snapshot.LeverFile, at runsHere) {
	var files []string
	for i, w := range words[1:] {
		value, ok := strings.CutPrefix(w, "-f")
		if long, joined := strings.CutPrefix(w, "--file="); joined {
			value, ok = long, true
		}
		if ok && value == "" && i+2 < len(words) {
			value = words[i+2]
		}
		if p := below(dir, value); ok && p != "" {
			files = append(files, p)
		}
	}
	if len(files) == 0 {
		for _, n := range makefileNames {
			files = append(files, path.Join(dir, n))
			if l.w.part(files[len(files)-1]).err == nil {
				break
			}
		}
	}
	for _, lever.Path = range files {
		l.add(lever)
		l.makefile(lever, dir, at)
	}
}

// makeIncludes is a line by which a file of make reads others.
var makeIncludes = lazily(`^\s*(?:-|s)?include\s+(.*)`)

func (l *levers) makefile(lever snapshot.LeverFile, dir string, at runsHere) {
	k := leverKeyOf(lever)
	if k.of = "make"; l.followed[k] || at.depth == maxScriptDepth {
		return
	}
	l.followed[k] = true
	text, ok := l.rootText(lever.Path)
	if !ok {
		return
	}
	if lever.Unsure == "" {
		lever.Unsure = "whether make does that part of " + lever.Path + " was not followed"
	}
	inside := runsHere{dir: dir, depth: at.depth + 1, vars: at.vars}
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		if recipe, is := strings.CutPrefix(line, "\t"); is {
			l.shell(strings.TrimLeft(recipe, "@-+ \t"), lever, inside)
		} else if m := makeIncludes.FindStringSubmatch(line); m != nil {
			for f := range strings.FieldsSeq(m[1]) {
				as := lever
				if as.Path = below(dir, f); as.Path != "" && !strings.ContainsAny(f, "*?[") {
					l.add(as)
					l.makefile(as, dir, inside)
				}
			}
		}
	}
}

// packageScripts adds what a package of Node.js has a shell run (package.json).
func (l *levers) packageScripts(dir string, lever snapshot.LeverFile, at runsHere) {
	file := path.Join(dir, "package.json")
	k := leverKey{path: file, uid: lever.UID, trigger: lever.Trigger, of: "npm"}
	if l.followed[k] || l.w.part(file).err != nil || at.depth == maxScriptDepth {
		return
	}
	l.followed[k] = true
	text, ok := l.rootText(file)
	var doc struct {
		Scripts map[string]string `json:"scripts"`
	}
	if !ok || json.Unmarshal([]byte(text), &doc) != nil {
		return
	}
	if lever.Unsure == "" {
		lever.Unsure = "which scripts of " + file + " are run was not followed"
	}
	for _, name := range sortedKeys(doc.Scripts) {
		l.shell(doc.Scripts[name], lever, runsHere{dir: dir, depth: at.depth + 1, vars: at.vars})
	}
}
