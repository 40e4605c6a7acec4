//go:build linux && !ringfence_portable

package checks

import (
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// Variables by which programs find programs and libraries, those that name files of them, and those that hold options of interpreters, which load files
// (ld.so(8), sh(1), and the manuals of interpreters).
var (
	searched = strings.Fields("PATH PYTHONPATH PYTHONHOME PYTHONUSERBASE PERL5LIB PERLLIB RUBYLIB NODE_PATH LD_LIBRARY_PATH GCONV_PATH GEM_PATH GEM_HOME CLASSPATH " +
		"GIT_EXEC_PATH TCLLIBPATH")
	preloaded = strings.Fields("LD_PRELOAD LD_AUDIT BASH_ENV OPENSSL_CONF")
	optional  = strings.Fields("NODE_OPTIONS PERL5OPT PERL5DB RUBYOPT JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS _JAVA_OPTIONS DOTNET_STARTUP_HOOKS ENV ZDOTDIR PYTHONSTARTUP PHPRC PROMPT_COMMAND " +
		"PHP_INI_SCAN_DIR LUA_INIT LUA_PATH LUA_CPATH GIT_SSH GIT_SSH_COMMAND GIT_CONFIG GIT_CONFIG_GLOBAL GIT_CONFIG_SYSTEM GIT_TEMPLATE_DIR LESSOPEN PAGER EDITOR VISUAL " +
		"OPENSSL_MODULES OPENSSL_ENGINES R_PROFILE R_LIBS MAKEFILES HOME XDG_CONFIG_HOME XDG_DATA_HOME XDG_CONFIG_DIRS XDG_DATA_DIRS ANSIBLE_CONFIG KUBECONFIG DOCKER_CONFIG")
	// silentVariables name files by which no program does more.
	silentVariables = strings.Fields("PWD OLDPWD TZ TZDIR MAIL SHELL _ LOGFILE LOG_FILE LOGDIR LOG_DIR PIDFILE PID_FILE TMPDIR TMP TEMP SSL_CERT_FILE SSL_CERT_DIR NOTIFY_SOCKET")
)

// loads says of a variable of a script, which its programs need not get, that it lets them load something.
func loads(name string) bool {
	return slices.Contains(searched, name) || slices.Contains(preloaded, name) || slices.Contains(optional, name)
}

// variable adds what a variable lets a program of somebody load, which runs in a directory. What others are for is not known: the files that they name
// count as such.
func (l *levers) variable(name, value string, lever snapshot.LeverFile, dir string) {
	if lever.UID < 0 {
		return
	}
	switch {
	case slices.Contains(searched, name):
		what := "programs of "
		if name != "PATH" {
			what = "modules of "
		}
		l.search(value, what, lever)
		if dir != "" && slices.ContainsFunc(strings.Split(value, ":"), func(d string) bool { return d == "." || d == "" && value != "" }) {
			l.search(dir, what, lever)
		}
	case slices.Contains(preloaded, name):
		lever.Kind = snapshot.LeverProgram
		for _, lever.Path = range strings.FieldsFunc(value, func(r rune) bool { return r == ':' || r == ' ' }) {
			l.add(lever)
		}
	case slices.Contains(silentVariables, name):
	default:
		paths := pathsIn(value)
		for w := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ' ' || r == '=' }) {
			if strings.HasPrefix(w, "./") || strings.HasPrefix(w, "../") {
				paths = append(paths, below(dir, w))
			}
		}
		l.mentioned(slices.DeleteFunc(paths, func(p string) bool { return !path.IsAbs(p) }), "what "+lever.By+" does by the variable "+name+" was not followed", lever)
	}
}

// variables adds what variables of everybody who logs in let programs load (pam_env(8), login.defs(5)), and those that sudo sets (sudoers(5)).
func (l *levers) variables() {
	lever := snapshot.LeverFile{Kind: snapshot.LeverSystem, By: "a login", Trigger: snapshot.TriggerLogin}
	l.eachText("/etc/environment", func(text string) {
		for line := range strings.Lines(text) {
			name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
			if ok && variableName(name) {
				l.variable(name, strings.Trim(value, `"'`), lever, "")
			}
		}
	})
	l.eachText("/etc/security/pam_env.conf", func(text string) {
		for line := range strings.Lines(text) {
			if f := strings.Fields(line); len(f) > 1 && variableName(f[0]) {
				for _, w := range f[1:] {
					_, value, _ := strings.Cut(w, "=")
					l.variable(f[0], strings.Trim(value, `"'`), lever, "")
				}
			}
		}
	})
	l.eachText("/etc/login.defs", func(text string) {
		for line := range strings.Lines(text) {
			if f := strings.Fields(line); len(f) == 2 && (f[0] == "ENV_PATH" || f[0] == "ENV_SUPATH") {
				l.variable("PATH", strings.TrimPrefix(f[1], "PATH="), lever, "")
			}
		}
	})
	sudo := snapshot.LeverFile{Kind: snapshot.LeverSystem, By: "sudo", Trigger: snapshot.TriggerOperator}
	for _, pattern := range []string{"/etc/sudoers", "/etc/sudoers.d/*"} {
		l.eachText(pattern, func(text string) {
			for _, m := range sudoFiles.FindAllStringSubmatch(text, maxInDir) {
				if m[1] == "secure_path" {
					l.variable("PATH", m[2], sudo, "")
				} else {
					l.mentioned(pathsIn(m[2]), "what sudo does by "+m[1]+" was not followed", sudo)
				}
			}
		})
	}
}

// sudoFiles are defaults of sudo that name directories of programs, and files that it reads or runs (sudoers(5)).
var sudoFiles = lazily(`(?m)^\s*Defaults[^\n#]*?\b(secure_path|env_file|restricted_env_file|editor|mailerpath|ldap_conf|ldap_secret)\s*=\s*"?([^"\n,]+)`)
