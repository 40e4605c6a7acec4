//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// passedCase is a host on which ann decides of /opt/a or /opt/d, or of a place of packages, and whether root is known to do what is there.
type passedCase struct {
	files []string
	sure  bool
}

// passedOver checks of each case that what ann decides of is told as known or as not known, and that nothing is told where root alone decides.
func passedOver(t *testing.T, about string, list map[string]passedCase) {
	t.Helper()
	for name, c := range list {
		t.Run(name, func(t *testing.T) {
			at := about
			if about == "" {
				_, at, _ = strings.Cut(strings.TrimRight(c.files[0], "/"), "0:0 ")
			}
			got := found(t, powerHost(t, c.files...), at)
			if sure := slices.ContainsFunc(got, func(f string) bool { return !strings.Contains(f, "(") }); len(got) == 0 || sure != c.sure {
				t.Errorf("told is %q, known to be run is %v", got, c.sure)
			}
			files := slices.Clone(c.files)
			for i := range files {
				files[i] = strings.Replace(files[i], "757 ", "755 ", 1)
			}
			if got := found(t, powerHost(t, files...), at); len(got) > 0 {
				t.Errorf("of what is root's is told %q", got)
			}
		})
	}
}

const (
	anns    = "757 0:0 /opt/a"
	annsDir = "757 0:0 /opt/d/"
)

func unitOf(lines string) string {
	return "644 0:0 /etc/systemd/system/a.service = [Service]\n" + strings.ReplaceAll(lines, "; ", "\n") + "\n"
}

func dropInOf(dir string) string {
	return "644 0:0 /etc/systemd/system/" + dir + "/x.conf = [Service]\nExecStartPre=/opt/a\n"
}

func cronOf(line string) string { return "644 0:0 /etc/cron.d/x = * * * * * root " + line + "\n" }

func scriptOf(lines ...string) string {
	return "755 0:0 /srv/run = #!/bin/sh -e\n" + strings.Join(lines, "\n") + "\n"
}

// TestVariablesOfRoot: no variable of a program of root that names what others write is passed over.
func TestVariablesOfRoot(t *testing.T) {
	e := func(v string) []string {
		return []string{unitOf("Environment=\"" + v + "\"; ExecStart=/usr/bin/x"), anns, annsDir}
	}
	passedOver(t, "/opt", map[string]passedCase{
		"env NODE_OPTIONS":      {e("NODE_OPTIONS=--require /opt/a"), false},
		"env PERL5OPT":          {e("PERL5OPT=-I/opt/d"), false},
		"env RUBYOPT":           {e("RUBYOPT=-r/opt/a"), false},
		"env ENV":               {e("ENV=/opt/a"), false},
		"env JAVA_TOOL_OPTIONS": {e("JAVA_TOOL_OPTIONS=-javaagent:/opt/a=x"), false},
		"env HOME":              {e("HOME=/opt/d"), false},
		"env PYTHONSTARTUP":     {e("PYTHONSTARTUP=/opt/a"), false},
		"env LD_X":              {e("LD_PRELOAD=/opt/a"), true},
		"env XDG":               {e("XDG_CONFIG_HOME=/opt/d"), false},
		"env LESSOPEN":          {e("LESSOPEN=|/opt/a %s"), false},
		"env PHPRC":             {e("PHPRC=/opt/d"), false},
		"env LUA_INIT":          {e("LUA_INIT=@/opt/a"), false},
		"env custom":            {e("APP_CONFIG=/opt/a"), false},
		"env GIT_SSH_COMMAND":   {e("GIT_SSH_COMMAND=/opt/a -i x"), false},
	})
}

// TestSettingsOfUnits: no setting or argument of a unit that names what others write is passed over.
func TestSettingsOfUnits(t *testing.T) {
	passedOver(t, "/opt", map[string]passedCase{
		"unit BindPaths":            {[]string{unitOf("BindPaths=/opt/d:/usr/bin; ExecStart=/usr/bin/x"), annsDir}, false},
		"unit BindReadOnlyPaths":    {[]string{unitOf("BindReadOnlyPaths=-/opt/a:/etc/x; ExecStart=/usr/bin/x"), anns}, false},
		"unit RootDirectory sh":     {[]string{unitOf("RootDirectory=/opt/r; ExecStart=/bin/sh /run.sh"), "755 0:0 /opt/r/", "757 0:0 /opt/r/run.sh", "755 0:0 /opt/r/bin/sh"}, true},
		"unit StandardInput":        {[]string{unitOf("StandardInput=file:/opt/a; ExecStart=/bin/sh"), anns}, true},
		"unit ExtensionDirectories": {[]string{unitOf("ExtensionDirectories=/opt/d; ExecStart=/usr/bin/x"), annsDir}, false},
		"unit StandardOutput":       {[]string{unitOf("StandardOutput=append:/opt/d/log; ExecStart=/usr/bin/x"), annsDir}, false},
		"unit cwd":                  {[]string{unitOf("WorkingDirectory=/opt/d; ExecStart=/usr/bin/docker compose up"), annsDir, "755 0:0 /usr/bin/docker"}, false},
		"unit LoadCredential":       {[]string{unitOf("LoadCredential=x:/opt/a; ExecStart=/usr/bin/x"), anns}, false},
		"unit args":                 {[]string{unitOf("ExecStart=/usr/bin/tmux new -d '/opt/a x'"), anns, "755 0:0 /usr/bin/tmux"}, false},
		"unit joined":               {[]string{unitOf("ExecStart=/usr/bin/x -I/opt/d"), annsDir, "755 0:0 /usr/bin/x"}, false},
		"unit glob":                 {[]string{unitOf("ExecStart=/usr/bin/x --conf /opt/d/*.conf"), annsDir, "755 0:0 /usr/bin/x"}, false},
		"py config":                 {[]string{unitOf("ExecStart=/usr/bin/python3 /srv/app --config /opt/a"), anns, "755 0:0 /usr/bin/python3", "755 0:0 /srv/app"}, false},
		"py -E":                     {[]string{unitOf("ExecStart=/usr/bin/python3 -E /opt/a"), anns, "755 0:0 /usr/bin/python3"}, true},
		"py -c":                     {[]string{unitOf(`ExecStart=/usr/bin/python3 -c "import os;os.system('/opt/a')"`), anns, "755 0:0 /usr/bin/python3"}, false},
		"node -r":                   {[]string{unitOf("ExecStart=/usr/bin/node -r /opt/a /srv/app"), anns, "755 0:0 /usr/bin/node", "755 0:0 /srv/app"}, true},
		"perl -I":                   {[]string{unitOf("ExecStart=/usr/bin/perl -I/opt/d /srv/app"), annsDir, "755 0:0 /usr/bin/perl", "755 0:0 /srv/app"}, true},
		"drop-in of a type":         {[]string{unitOf("ExecStart=/usr/bin/x"), dropInOf("service.d"), anns}, true},
		"drop-in of a beginning":    {[]string{strings.Replace(unitOf("ExecStart=/usr/bin/x"), "a.service", "b-c-d@.service", 1), dropInOf("b-c-.service.d"), anns}, true},
		"what is not there":         {[]string{unitOf("ExecStart=/usr/bin/x --conf /opt/d/new/conf"), annsDir}, false},
		"far from what is there":    {[]string{unitOf("ExecStart=/usr/bin/x --conf=/opt/d/a/b/c/conf"), annsDir}, false},
		"a quoted value":            {[]string{unitOf(`Environment=LD_PRELOAD="/opt/a"; ExecStart=/usr/bin/x`), anns}, true},
		"another quote":             {[]string{unitOf(`Environment=A=b PATH='/opt/d:/usr/bin'; ExecStart=/usr/bin/x`), annsDir}, true},
		"quotes in a word":          {[]string{unitOf(`ExecStart=/usr/bin/env LD_PRELOAD="/opt/a" /usr/bin/x`), anns}, true},
		"a quoted program":          {[]string{unitOf(`ExecStart=/opt"/"'a'`), anns}, true},
		"an escape":                 {[]string{unitOf(`ExecStart=/opt/\x61`), anns}, true},
		"an octal escape":           {[]string{unitOf(`ExecStart=/opt/\141`), anns}, true},
		"a second command":          {[]string{"644 0:0 /etc/systemd/system/a.service = [Service]\nType=oneshot\nExecStart=/usr/bin/x ';' \" ; \" ; -/opt/a\n", anns}, true},
		"no second command":         {[]string{"644 0:0 /etc/systemd/system/a.service = [Service]\nExecStart=/usr/bin/x \" ; /opt/a ; \"\n", anns}, false},
		"busybox":                   {[]string{unitOf("ExecStart=/bin/busybox sh -c '/opt/a'"), anns, "755 0:0 /bin/busybox"}, true},
	})
}

// TestDropInsByTheirNames: the first directory counts of a name, and of a type last, for a name that is there more than once.
func TestDropInsByTheirNames(t *testing.T) {
	var files []string
	for i, dir := range []string{"usr/lib/systemd/system/a-b.service.d", "etc/systemd/system/a-.service.d", "etc/systemd/system/service.d", "run/systemd/system/a-.service.d"} {
		files = append(files, "644 0:0 /"+dir+"/x.conf = ", fmt.Sprintf("644 0:0 /%s/%d.conf = ", dir, i))
	}
	got := powerHost(t, files...).dropIns(dropInNames("a-b.service")...)
	want := []string{
		"/usr/lib/systemd/system/a-b.service.d/0.conf", "/etc/systemd/system/a-.service.d/1.conf", "/etc/systemd/system/service.d/2.conf",
		"/run/systemd/system/a-.service.d/3.conf", "/etc/systemd/system/a-.service.d/x.conf",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestUnitsThatAreNotRead: what a unit runs that has more files than are read is not passed over without a word.
func TestUnitsThatAreNotRead(t *testing.T) {
	files := []string{unitOf("ExecStart=/opt/a"), anns}
	for i := range maxDropIns {
		files = append(files, fmt.Sprintf("644 0:0 /etc/systemd/system/a.service.d/%d.conf = ", i))
	}
	out := collectPowers(t.Context(), powerHost(t, files...), new(snapshot.Snapshot))
	if !slices.ContainsFunc(out.reasons, func(r string) bool { return strings.Contains(r, "a.service: the unit has more files") }) {
		t.Errorf("%v", out.reasons)
	}
}

// TestFormsOfShellLines: no form of a line of the shell by which root runs, or is told by, what others write is passed over.
func TestFormsOfShellLines(t *testing.T) {
	c := func(v string) []string {
		return []string{cronOf(v), anns, annsDir, "755 0:0 /opt/d/a", "755 0:0 /bin/sh", "755 0:0 /usr/bin/python3", scriptOf("/opt/a"), "644 0:0 /srv/text = /opt/a\n"}
	}
	s := func(v ...string) []string {
		return []string{cronOf("/srv/run"), scriptOf(v...), anns, annsDir, "755 0:0 /bin/sh"}
	}
	passedOver(t, "/opt", map[string]passedCase{
		"sh <":              {c("sh < /opt/a"), true},
		"sh -s <":           {c("bash -s x < /opt/a"), true},
		"cat | sh":          {c("cat /opt/a | sh"), false},
		"tee <":             {c("tee /etc/cron.d/b </opt/a"), false},
		"cat | tee":         {c("cat /opt/a | tee /etc/cron.d/b"), false},
		"xargs -a":          {c("xargs -a /opt/a sh -c"), false},
		"| xargs":           {c("cat /opt/a | xargs -n1 sh"), false},
		"find -exec {}":     {c("find /opt/d -type f -exec {} ';'"), false},
		"find -exec sh {}":  {c("find /opt/d -type f -exec sh {} ';'"), false},
		"find|xargs":        {c("find /opt/d -name '*.sh' | xargs -n1 sh"), false},
		"while read":        {s("while read c; do $c; done < /opt/a"), false},
		"exec 3<":           {s("exec 3</opt/a", "sh <&3"), false},
		"exec <":            {s("exec </opt/a", "sh"), false},
		"exec {fd}<":        {s("exec {f}</opt/a", ". /dev/fd/$f"), false},
		"exec >":            {s("exec >>/opt/d/x 2>&1", "date"), false},
		"ls|while":          {s("ls /opt/d | while read f; do sh /opt/d/$f; done"), false},
		"eval cat":          {s(`eval "$(cat /opt/a)"`), false},
		"dq subst":          {s(`X="$(/opt/a)"`), true},
		"dq backtick":       {s("X=\"`/opt/a`\""), true},
		"subst":             {s("X=$(/opt/a)"), true},
		"subst cat cmd":     {s("$(cat /opt/a)"), false},
		"procsub":           {s("bash <(cat /opt/a)"), false},
		"heredoc sh":        {s("sh <<E", "/opt/a", "E"), true},
		"heredoc su":        {s("su - root <<'E'", "/opt/a", "E"), true},
		"heredoc subst":     {s("cat <<E", "$(/opt/a)", "E"), true},
		"default":           {s("${X:-/opt/a} x"), true},
		"trap":              {s("trap 'cd /; /opt/a' EXIT"), true},
		"eval":              {s(`eval "cd /; /opt/a"`), true},
		"watch":             {s("watch -n1 'cd /; /opt/a'"), true},
		"no shebang":        {[]string{cronOf("sh /srv/b"), "755 0:0 /srv/b = /opt/a\n", anns}, true},
		"source no shebang": {[]string{cronOf("/srv/run"), scriptOf(". /srv/lib"), "644 0:0 /srv/lib = /opt/a\n", anns}, true},
		"vars of source":    {[]string{cronOf("/srv/run"), scriptOf(". /srv/lib", "$D/a"), "644 0:0 /srv/lib = D=/opt\n", anns}, true},
		"exec no shebang":   {[]string{cronOf("/srv/b"), "755 0:0 /srv/b = /opt/a\n", anns}, false},
		"depth":             {[]string{cronOf("/srv/1"), "755 0:0 /srv/1 = #!/bin/sh\n/srv/2\n", "755 0:0 /srv/2 = #!/bin/sh\n/srv/3\n", "755 0:0 /srv/3 = #!/bin/sh\n/srv/4\n", "755 0:0 /srv/4 = #!/bin/sh\n/srv/5\n", "755 0:0 /srv/5 = #!/bin/sh\n/srv/6\n", "755 0:0 /srv/6 = #!/bin/sh\n/opt/a\n", anns}, true},
		"long":              {[]string{cronOf("/srv/run"), scriptOf("/opt/a", strings.Repeat("# x\n", 20000)), anns}, true},
		"sed -f":            {c("sed -f /opt/a /etc/x"), false},
		"awk -f":            {c("awk -f /opt/a /etc/x"), false},
		"tar *.txt":         {c("cd /opt/d && tar cf /b.tar *.txt"), false},
		"chown *":           {c("cd /opt/d && chown root *"), false},
		"npm":               {c("cd /opt/d && npm start"), false},
		"write":             {c("date > /opt/d/x"), false},
		"cp to":             {c("cp /etc/x /opt/d/y"), false},
		"chown":             {c("chown ann /opt/d/y"), false},
		"env -S":            {c("env -S '/opt/a x'"), true},
		"cron's percent":    {c(`echo $(date +\%F); /opt/a`), true},
		"percent in a name": {c(`tar cf /b-$(date +\%F).tar x && /opt/a`), true},
		"cron's input":      {c(`sh%cd /opt%./a`), true},
		"input of others":   {c(`at now%/opt/a`), false},
		"env -C":            {c("env -C /opt/d ./a"), true},
		"env --chdir":       {c("env -u X --chdir=/opt/d sh a"), true},
		"setsid --wait":     {c("setsid --wait /opt/a"), true},
		"env long":          {c("env --unset X -C/opt ./a"), true},
		"timeout long":      {c("timeout --signal KILL 5 /opt/a"), true},
		"nice long":         {c("nice --adjustment 5 /opt/a"), true},
		"flock long":        {c("flock --timeout 5 /run/l /opt/a"), true},
		"flock long -c":     {c("flock --conflict-exit-code 5 /run/l -c '/opt/a x'"), true},
		"env -i":            {c("env -i A=b /opt/a"), true},
		"systemd-run":       {c("systemd-run --unit=x /opt/a"), false},
		"time":              {c("time /opt/a"), true},
		"unshare":           {c("unshare -m /opt/a"), false},
		"parallel":          {c("parallel /opt/a ::: 1"), false},
		"python <":          {c("python3 < /opt/a"), true},
		"if":                {s("if /opt/a; then :; fi"), false},
		"brace":             {s("{ /opt/a; }"), true},
		"subshell":          {s("(cd /opt; ./a)"), true},
		"func":              {s("f() { /opt/a; }", "f"), true},
		"given a script":    {c("systemd-inhibit --why=x /srv/run"), false},
		"given its text":    {c("tmux new -d '/srv/run x'"), false},
		"given a shell":     {c("ip netns exec x sh /srv/text"), false},
		"given a text":      {c("start-stop-daemon --start --startas /bin/sh -- -c 'exec /srv/run'"), false},
		"given to code":     {c(`python3 -c "import os;os.system('/srv/run')"`), false},
		"given to echo":     {c("echo /srv/run | at now"), false},
		"case":              {s("case $1 in", "x) /opt/a;;", "esac"), false},
	})
}

// TestWhatFilesOfEtcName: what files of /etc name, that others write, is followed or told as not followed.
func TestWhatFilesOfEtcName(t *testing.T) {
	passedOver(t, "/opt", map[string]passedCase{
		"secure_path":         {[]string{"440 0:0 /etc/sudoers = Defaults env_reset\nDefaults\tsecure_path=\"/opt/d:/usr/bin\"\n", annsDir}, true},
		"env_file of sudo":    {[]string{"440 0:0 /etc/sudoers.d/x = Defaults env_file=/opt/a\n", anns}, false},
		"an editor of sudo":   {[]string{"440 0:0 /etc/sudoers = Defaults:ann editor=/usr/bin/vi:/opt/a\n", anns}, false},
		"anacron":             {[]string{"644 0:0 /etc/anacrontab = 1 5 j nice /opt/a\n", anns}, true},
		"rc.local":            {[]string{"755 0:0 /etc/rc.local = #!/bin/sh\ncd /opt\n./a\n", anns}, true},
		"a script of etc":     {[]string{"755 0:0 /etc/NetworkManager/dispatcher.d/no-wait.d/x = #!/bin/sh\ncd /opt\n./a\n", anns}, false},
		"a shell of ifupdown": {[]string{"644 0:0 /etc/network/interfaces = iface e inet manual\n\tpost-up cd /opt && ./a\n", anns}, false},
		"a shell of modprobe": {[]string{"644 0:0 /etc/modprobe.d/x.conf = install \\\n  foo cd /opt; ./a\n", anns}, false},
		"modprobe elsewhere":  {[]string{"644 0:0 /usr/local/lib/modprobe.d/x.conf = install foo /opt/a\n", anns}, false},
		"a shell of monit":    {[]string{"644 0:0 /etc/monit/conf.d/x = start program = \"/bin/sh -c 'cd /opt; ./a'\"\n", anns}, false},
		"udev elsewhere":      {[]string{"644 0:0 /usr/local/lib/udev/rules.d/x.rules = RUN+=\"/opt/a\"\n", anns}, true},
		"tmpfiles elsewhere":  {[]string{"644 0:0 /usr/local/lib/tmpfiles.d/x.conf = C /etc/cron.d/y - - - - /opt/a\n", anns}, false},
		"incron of root":      {[]string{"600 0:0 /var/spool/incron/root = /srv IN_CREATE cd /opt; ./a $#\n", anns}, false},
		"an option of PAM":    {[]string{"644 0:0 /etc/pam.d/su = auth sufficient pam_userdb.so db=/opt/a icase\n", strings.Replace(anns, "/a", "/a.db", 1)}, false},
		"variables of PAM":    {[]string{"644 0:0 /etc/pam.d/su = session required pam_env.so envfile=/opt/a\n", anns}, false},
		"PAM elsewhere":       {[]string{"644 0:0 /usr/lib/pam.d/su = session optional pam_exec.so /opt/a\n", anns}, true},
		"a prompt":            {[]string{"700 0:0 /root/", "644 0:0 /root/.bashrc = PROMPT_COMMAND='/opt/a x'\n", anns}, false},
		"a hook of dhcpcd":    {[]string{"644 0:0 /etc/dhcpcd.exit-hook = cd /opt; . ./a\n", anns}, true},
		"states of salt":      {[]string{"644 0:0 /etc/salt/minion = file_roots:\n  base:\n    - /opt/d\n", annsDir}, false},
		"packages of apt":     {[]string{"644 0:0 /etc/apt/sources.list.d/x.list = deb [trusted=yes] file:/opt/d ./\n", annsDir}, false},
		"etc environment":     {[]string{"644 0:0 /etc/environment = PATH=/opt/d:/usr/bin\n", annsDir}, true},
		"login.defs":          {[]string{"644 0:0 /etc/login.defs = ENV_SUPATH PATH=/opt/d:/usr/bin\n", annsDir}, true},
		"profile":             {[]string{"644 0:0 /etc/profile.d/x.sh = . /opt/a\n", anns}, true},
		"etc profile":         {[]string{"644 0:0 /etc/profile = PATH=/opt/d:$PATH\n", annsDir}, true},
		"root bashrc":         {[]string{"700 0:0 /root/", "644 0:0 /root/.bashrc = source /opt/a\n", anns}, true},
		"root profile alias":  {[]string{"700 0:0 /root/", "644 0:0 /root/.bashrc = alias ls=/opt/a\n", anns}, true},
		"user unit":           {[]string{"644 0:0 /etc/systemd/user/x.service = [Service]\nExecStart=/opt/a\n", "777 0:0 /etc/systemd/user/default.target.wants/x.service -> ../x.service", anns}, true},
		"root user unit":      {[]string{"700 0:0 /root/", "644 0:0 /root/.config/systemd/user/x.service = [Service]\nExecStart=/opt/a\n", anns}, true},
		"modprobe install":    {[]string{"644 0:0 /etc/modprobe.d/x.conf = install foo /opt/a\n", anns}, false},
		"binfmt.d":            {[]string{"644 0:0 /etc/binfmt.d/x.conf = :x:M::XX::/opt/a:\n", anns}, false},
		"tmpfiles C":          {[]string{"644 0:0 /etc/tmpfiles.d/x.conf = C /etc/cron.d/y - - - - /opt/a\n", anns}, false},
		"sudo.conf":           {[]string{"644 0:0 /etc/sudo.conf = Plugin sudoers_policy /opt/a\n", anns}, false},
		"dpkg hook":           {[]string{"644 0:0 /etc/dpkg/dpkg.cfg.d/x = post-invoke=/opt/a\n", anns}, false},
		"inittab":             {[]string{"644 0:0 /etc/inittab = x:2:respawn:/opt/a\n", anns}, false},
		"crypttab":            {[]string{"644 0:0 /etc/crypttab = x /dev/x none keyscript=/opt/a\n", anns}, false},
		"ifupdown":            {[]string{"644 0:0 /etc/network/interfaces = iface e inet manual\n up /opt/a\n", anns}, false},
		"acpi":                {[]string{"644 0:0 /etc/acpi/events/x = event=x\naction=/opt/a\n", anns}, false},
		"fail2ban":            {[]string{"644 0:0 /etc/fail2ban/action.d/x.conf = actionban = /opt/a <ip>\n", anns}, false},
		"keepalived":          {[]string{"644 0:0 /etc/keepalived/keepalived.conf = vrrp_script x { script \"/opt/a\" }\n", anns}, false},
		"wg":                  {[]string{"600 0:0 /etc/wireguard/w.conf = PostUp = /opt/a\n", anns}, false},
		"openvpn":             {[]string{"644 0:0 /etc/openvpn/c.conf = up /opt/a\n", anns}, false},
		"nginx include":       {[]string{"644 0:0 /etc/nginx/nginx.conf = include /opt/a;\n", anns}, false},
		"audit plugin":        {[]string{"644 0:0 /etc/audit/plugins.d/x.conf = path = /opt/a\n", anns}, false},
		"sv":                  {[]string{"755 0:0 /etc/sv/x/run = #!/bin/sh\nexec /opt/a\n", anns}, false},
		"incron":              {[]string{"644 0:0 /etc/incron.d/x = /srv IN_CREATE /opt/a\n", anns}, false},
		"monit":               {[]string{"644 0:0 /etc/monit/conf.d/x = check program x with path /opt/a\n", anns}, false},
		"openssl":             {[]string{"644 0:0 /etc/ssl/openssl.cnf = dynamic_path = /opt/a\n", anns}, false},
		"gitconfig":           {[]string{"644 0:0 /etc/gitconfig = [core]\n fsmonitor = /opt/a\n", anns}, false},
		"auto.master":         {[]string{"644 0:0 /etc/auto.master = /x /opt/a\n", anns}, false},
		"exim pipe":           {[]string{"644 0:0 /etc/aliases = x: |/opt/a\n", anns}, false},
		"generator":           {[]string{"755 0:0 /etc/systemd/system-generators/x = #!/bin/sh\n/opt/a\n", anns}, true},
		"mount unit":          {[]string{"644 0:0 /etc/systemd/system/mnt.mount = [Mount]\nWhat=/opt/a\nWhere=/mnt\nOptions=loop\n", anns}, false},
	})
}

// TestWhatTmpfilesMakes: a directory of everybody that systemd-tmpfiles makes, or a link that it sets, is nothing that root runs (debian.conf of Debian 13).
func TestWhatTmpfilesMakes(t *testing.T) {
	text := "644 0:0 /usr/lib/tmpfiles.d/debian.conf = L /run/shm - - - - /dev/shm\nd /run/lock 1777 root root - -\n"
	files := []string{text, "1777 0:0 /run/lock/", "1777 0:0 /dev/shm/", "777 0:0 /run/shm -> /dev/shm"}
	for _, at := range []string{"/run/lock", "/run/shm", "/dev/shm"} {
		if got := found(t, powerHost(t, files...), at); len(got) > 0 {
			t.Errorf("%s: told is %q", at, got)
		}
	}
}

// TestPlacesOfPackages: a file or a directory of packages that others write is told.
func TestPlacesOfPackages(t *testing.T) {
	passedOver(t, "", map[string]passedCase{
		"completion":            {[]string{"757 0:0 /usr/local/share/bash-completion/completions/x"}, false},
		"udev of the place":     {[]string{"757 0:0 /usr/local/lib/udev/rules.d/"}, true},
		"modprobe of the boot":  {[]string{"757 0:0 /run/modprobe.d/"}, true},
		"a script of a package": {[]string{"757 0:0 /var/lib/dpkg/info/x.postinst"}, false},
		"what dpkg has":         {[]string{"757 0:0 /var/lib/dpkg/status"}, false},
		"salt":                  {[]string{"757 0:0 /srv/salt/x.sls"}, false},
		"sysext":                {[]string{"757 0:0 /var/lib/extensions/"}, true},
		"confext":               {[]string{"757 0:0 /var/lib/confexts/"}, true},
		"machines":              {[]string{"757 0:0 /var/lib/machines/"}, true},
		"portables":             {[]string{"757 0:0 /var/lib/portables/"}, true},
		"var lib apt":           {[]string{"757 0:0 /var/cache/apt/archives/"}, true},
		"usr share":             {[]string{"757 0:0 /usr/share/nodejs/"}, false},
		"kernel/install.d":      {[]string{"757 0:0 /usr/lib/kernel/install.d/"}, true},
		"usr bin file":          {[]string{"757 0:0 /usr/bin/ls"}, true},
		"usr lib so":            {[]string{"757 0:0 /usr/lib/x86_64-linux-gnu/libx.so.1"}, false},
		"udev prog dir":         {[]string{"757 0:0 /usr/lib/udev/x"}, false},
		"systemd run":           {[]string{"757 0:0 /run/systemd/transient/"}, true},
		"usr libexec":           {[]string{"757 0:0 /usr/libexec/x"}, false},
		"usr share polkit file": {[]string{"757 0:0 /usr/share/polkit-1/actions/x.policy"}, true},
	})
}

// TestSettingsOfHomes: what others write of the settings of programs and agents of somebody is told.
func TestSettingsOfHomes(t *testing.T) {
	home := "700 0:0 /root/"
	for _, f := range []string{".claude.json", ".codex/config.toml", ".cursor/mcp.json", ".kube/config", ".inputrc"} {
		if got := found(t, powerHost(t, home, "646 0:0 /root/"+f), "/root/"+strings.Split(f, "/")[0]); len(got) == 0 {
			t.Errorf("%s is passed over", f)
		}
		if got := found(t, powerHost(t, home, "600 0:0 /root/"+f), "/root"); len(got) > 0 {
			t.Errorf("%s of root alone: %q", f, got)
		}
	}
}

// TestKnobsOfTheKernel: who writes where the kernel has the program that it starts as root becomes root.
func TestKnobsOfTheKernel(t *testing.T) {
	for _, f := range []string{"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/sys/kernel/uevent_helper", "/sys/fs/cgroup/memory/release_agent"} {
		if got := found(t, powerHost(t, "646 0:0 "+f+" = \n"), f); len(got) != 1 || strings.Contains(got[0], "(") {
			t.Errorf("%s: %q", f, got)
		}
	}
}

// TestDollarsOfUnits: two dollar signs of a command of a unit are one, which its shell reads.
func TestDollarsOfUnits(t *testing.T) {
	in := func(command string) passedCase {
		return passedCase{[]string{unitOf("ExecStart=" + command), anns, annsDir}, true}
	}
	passedOver(t, "/opt", map[string]passedCase{
		"programs of a directory": in(`/bin/sh -c "for f in /opt/d/*;do sh $$f;done"`),
		"a variable of the shell": in(`/bin/sh -c "p=/opt/a;$$p"`),
		"an interpreter":          {[]string{"644 0:0 /var/lib/binfmts/x = x\nmagic\n0\nabc\n\n/opt/a\n", anns}, false},
		"one in braces":           in(`/bin/sh -c "p=/opt/a;$${p} x"`),
	})
}
