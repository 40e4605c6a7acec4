//go:build linux && !ringfence_portable

package checks

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestCodexAsItStarts: the sandbox that Codex 0.171 says it has ("codex exec", first lines), by arguments and by files.
func TestCodexAsItStarts(t *testing.T) {
	const (
		user, system, managed, project = "root/.codex/config.toml", "etc/codex/config.toml", "etc/codex/managed_config.toml", "srv/p/.codex/config.toml"

		full, only = "sandbox_mode = \"danger-full-access\"\n", "sandbox_mode='read-only' # asks\n"
		trust      = "[projects.\"/srv/p\"]\ntrust_level = \"trusted\"\n"
	)
	for _, c := range []struct {
		line  string
		files map[string]string
		want  string
		from  string // what is said of one that runs without a sandbox, if it is no account's configuration
	}{
		{"codex|exec|hi", nil, "on", ""},
		{"codex|exec|-c|sandbox_mode=danger-full-access|hi", nil, "off", "-c sandbox_mode"},
		{"codex|--config=sandbox_mode=danger-full-access", nil, "off", "-c sandbox_mode"},
		{"codex|-csandbox_mode=danger-full-access", nil, "off", "-c sandbox_mode"},
		{"codex|-c|sandbox_mode = \"danger-full-access\"", nil, "off", "-c sandbox_mode"},
		{"codex|-c|default_permissions=\":danger-full-access\"", map[string]string{user: only}, "off", "-c default_permissions"},
		{"codex|-c|sandbox_mode=danger-full-access|-c|sandbox_mode=read-only", nil, "on", ""},
		{"codex|-c|sandbox_mode=danger-full-access|-s|read-only", nil, "on", ""},
		{"codex|-sdanger-full-access", map[string]string{user: only}, "off", "--sandbox"},
		{"codex|exec|--|-s|danger-full-access", nil, "on", ""},
		{"codex|-p|open", map[string]string{"root/.codex/open.config.toml": full, user: only}, "off", "/root/.codex/open.config.toml"},
		{"codex|--profile=open", map[string]string{"root/.codex/open.config.toml": only, user: full}, "on", ""},
		{"codex", map[string]string{"root/.codex/open.config.toml": full}, "on", ""},
		{"codex", map[string]string{user: "default_permissions=\":danger-full-access\"\n" + only}, "off", ""},
		{"codex", map[string]string{user: "default_permissions=\":workspace\"\n" + full}, "on", ""},
		{"codex", map[string]string{user: "default_permissions=\"mine\"\n"}, "unknown", ""},
		{"codex", map[string]string{system: full}, "off", "/etc/codex/config.toml"},
		{"codex", map[string]string{system: full, user: only}, "on", ""},
		{"codex", map[string]string{managed: full, user: only}, "off", "/etc/codex/managed_config.toml"},
		{"codex|-c|sandbox_mode=workspace-write", map[string]string{managed: full}, "off", "/etc/codex/managed_config.toml"},
		{"codex|-s|workspace-write", map[string]string{managed: full}, "on", ""},
		{"codex|-s|danger-full-access", map[string]string{managed: only}, "on", ""},
		{"codex", map[string]string{project: full}, "on", ""},
		{"codex", map[string]string{project: full, user: trust}, "off", "/srv/p/.codex/config.toml"},
		{"codex|-s|read-only", map[string]string{project: full, user: trust}, "on", ""},
	} {
		files := map[string]string{"etc/passwd": "root:x:0:0::/root:/bin/bash\n", "proc/0/environ": "A=b\x00"}
		maps.Copy(files, c.files)
		s, root := tree(t, files)
		if err := os.Symlink("/srv/p", filepath.Join(root, "proc/0/cwd")); err != nil {
			t.Fatal(err)
		}
		p, b := &process{argv: strings.Split(c.line, "|")}, new(snapshot.AgentSandbox)
		s.codexSandbox(p, b)
		got := b.Configured.Value
		if b.Configured.State == snapshot.Error {
			got = "unknown"
		}
		how, _ := s.codexBrake(p)
		if from, _, _ := strings.Cut(how, " ("); got != c.want || from != c.from {
			t.Errorf("%s with %q: %s (%+v), started with %q, want %s, %q", c.line, c.files, got, b, how, c.want, c.from)
		}
	}
}
