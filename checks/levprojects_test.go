//go:build linux && !ringfence_portable

package checks

import "testing"

// TestFilesOfProjects: what others write in the directories by which programs of root are told what to do is not passed over, whoever has the directory.
func TestFilesOfProjects(t *testing.T) {
	in := func(command string, files ...string) []string {
		return append([]string{cronOf(command), "755 0:0 /opt/p/"}, files...)
	}
	git := []string{"755 0:0 /opt/p/.git/", "644 0:0 /opt/p/.git/HEAD", "755 0:0 /opt/p/.git/objects/"}
	bare := []string{"644 0:0 /opt/p/HEAD", "755 0:0 /opt/p/objects/", "757 0:0 /opt/p/hooks/"}
	passedOver(t, "/opt", map[string]passedCase{
		"npm":                     {in("cd /opt/p && npm ci", "757 0:0 /opt/p/package.json"), false},
		"npm elsewhere":           {in("npm --prefix /opt/p ci", "757 0:0 /opt/p/package.json"), false},
		"npm, deep":               {in("npm --prefix=/opt/p start", "757 0:0 /opt/p/lib/a/b.js"), false},
		"a script of npm":         {in("cd /opt/p && npm start", `644 0:0 /opt/p/package.json = {"scripts": {"start": "../a"}}`, anns), false},
		"pip":                     {in("pip3.11 install /opt/p", "757 0:0 /opt/p/setup.py"), false},
		"compose":                 {in("cd /opt/p; docker compose up", "757 0:0 /opt/p/compose.yml"), false},
		"ansible-pull":            {in("ansible-pull -d /opt/p -U https://x/y", "757 0:0 /opt/p/local.yml"), false},
		"a program unknown":       {in("cd /opt/p; mytool", "757 0:0 /opt/p/mytool.conf"), false},
		"gunicorn":                {[]string{unitOf("WorkingDirectory=/opt/p; ExecStart=/usr/bin/gunicorn a:b"), "757 0:0 /opt/p/a.py"}, false},
		"python -m":               {[]string{unitOf("WorkingDirectory=/opt/p; ExecStart=/usr/bin/python3 -m a"), "757 0:0 /opt/p/a/b.py", "755 0:0 /usr/bin/python3"}, false},
		"make":                    {in("make -C /opt/p", "757 0:0 /opt/p/Makefile"), true},
		"make elsewhere":          {in("make --directory=/opt/p", "757 0:0 /opt/p/GNUmakefile", "644 0:0 /opt/p/Makefile"), true},
		"make, a directory":       {in("make -C/opt/d", annsDir), true},
		"make, a file":            {in("make -f/opt/a", anns), true},
		"make, a recipe":          {in("cd /opt/p && make", "644 0:0 /opt/p/Makefile = all:\n\t@../a\n", anns), false},
		"make, included":          {in("make -C /opt/p", "644 0:0 /opt/p/Makefile = -include ../a\n", anns), false},
		"hooks of git":            {in("cd /opt/p/sub && git pull", append(git, "755 0:0 /opt/p/sub/", "757 0:0 /opt/p/.git/hooks/")...), true},
		"hooks of git elsewhere":  {in("git -C /opt/p pull", append(git, "644 0:0 /opt/p/.git/config = [core]\n\thooksPath = ../d\n", annsDir)...), true},
		"settings of git name":    {in("git -C /opt/p pull", append(git, "644 0:0 /opt/p/.git/config = [core]\n\tfsmonitor = /opt/a\n", anns)...), false},
		"a repository alone":      {in("cd /opt/p; git fetch", bare...), true},
		"a repository by option":  {in("git --git-dir=/opt/p fetch", bare...), true},
		"a repository elsewhere":  {in("git -C /opt/w pull", append(bare, "755 0:0 /opt/w/", "644 0:0 /opt/w/.git = gitdir: ../p\n")...), true},
		"objects of a repository": {in("git -C /opt/p pull", append(git, "757 0:0 /opt/p/.git/objects/ab/")...), false},
	})
}

// TestProjectsOfSomebody: of the files of a project that are all somebody's, who has its directory, that is told alone.
func TestProjectsOfSomebody(t *testing.T) {
	got := found(t, powerHost(t, cronOf("cd /opt/p && npm ci"), "755 1000:1000 /opt/p/", "644 1000:1000 /opt/p/package.json", "644 1000:1000 /opt/p/a", "644 0:0 /opt/p/b"), "/opt")
	if len(got) != 1 {
		t.Errorf("%q", got)
	}
	plain := found(t, powerHost(t, cronOf("cd /var/log && mytool"), "755 0:0 /var/log/", "644 1000:1000 /var/log/a"), "/var")
	if len(plain) != 0 {
		t.Errorf("%q", plain)
	}
}
