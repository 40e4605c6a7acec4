//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/e2e/bed"
)

// fleet is hosts that a controller reaches over SSH: each with a network, processes, mounts and a name of its own.
type fleet struct {
	t    *testing.T
	dir  string
	pids map[string]int // of sshd
}

// hostAddr is the address of a host by its number.
func hostAddr(n int) string { return fmt.Sprintf("10.20.0.%d", 10+n) }

// newFleet makes three hosts, and a fourth on which nobody listens.
func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{t, t.TempDir(), map[string]int{}}
	bed.Shell(t, `cd %s; chmod 755 .
ip link add br0 type bridge; ip addr add 10.20.0.1/24 dev br0; ip link set lo up; ip link set br0 up
ssh-keygen -q -t ed25519 -N '' -f user -C ''; cp user.pub authorized
for n in 1 2 3 4; do
	ip netns add h$n; ip link add v$n type veth peer name eth0 netns h$n
	ip link set v$n master br0 up
	ip -n h$n link set lo up; ip -n h$n addr add 10.20.0.1$n/24 dev eth0; ip -n h$n link set eth0 up
	mkdir -p h$n/etc h$n/sbin; ssh-keygen -q -t ed25519 -N '' -f h$n/etc/ssh_host_ed25519_key -C ''
	echo "10.20.0.1$n $(cat h$n/etc/ssh_host_ed25519_key.pub)" >>known_hosts
	printf 'Port 22\nHostKey %[1]s/h%%s/etc/ssh_host_ed25519_key\nAuthorizedKeysFile %[1]s/authorized\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPidFile none\nSubsystem sftp internal-sftp\n' $n >h$n/etc/sshd_config
done
chmod 600 known_hosts; echo "[defaults]" >ansible.cfg`, f.dir)
	for n := 1; n <= 3; n++ {
		f.start(n)
	}
	return f
}

// start starts the SSH server of a host as its first process.
func (f *fleet) start(n int) {
	f.t.Helper()
	script := fmt.Sprintf(`hostname h%[1]d; mount -t tmpfs tmpfs /run; mkdir -p /run/sshd /run/lock; mount --bind %[2]s/h%[1]d/etc /etc/ssh; mount --bind %[2]s/h%[1]d/sbin /usr/local/sbin; exec /usr/sbin/sshd -D -e -f /etc/ssh/sshd_config`, n, f.dir)
	cmd := exec.Command("nsenter", fmt.Sprintf("--net=/run/netns/h%d", n), "unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script)
	log, err := os.Create(filepath.Join(f.dir, fmt.Sprintf("sshd%d.log", n)))
	if err != nil {
		f.t.Fatal(err)
	}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		log.Close()
	})
	if !bed.Until(func() bool {
		return exec.Command("bash", "-c", fmt.Sprintf("exec 3<>/dev/tcp/%s/22", hostAddr(n))).Run() == nil
	}) {
		f.t.Fatalf("no SSH server of h%d", n)
	}
}

// play runs a playbook, and returns what it says and how it ended.
func (f *fleet) play(book string, hosts []int, vars map[string]any) (string, error) {
	f.t.Helper()
	var inventory strings.Builder
	inventory.WriteString("[web]\n")
	for _, n := range hosts {
		inventory.WriteString(fmt.Sprintf("h%d ansible_host=%s\n", n, hostAddr(n)))
	}
	inventory.WriteString(fmt.Sprintf("[web:vars]\nansible_user=root\nansible_ssh_private_key_file=%[1]s/user\nansible_ssh_common_args='-o UserKnownHostsFile=%[1]s/known_hosts -o ConnectTimeout=5'\n"+
		"ansible_python_interpreter=/usr/bin/python3\n", f.dir))
	file := filepath.Join(f.dir, "inventory")
	all := map[string]any{
		"ringfence_binary": bed.Program(f.t), "ringfence_judge": bed.Program(f.t), "ringfence_dir": f.dir + "/out",
		"ringfence_known_hosts": f.dir + "/known_hosts", "ringfence_fail_on": "none",
	}
	maps.Copy(all, vars)
	extra, err := json.Marshal(all)
	if err := err; err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(inventory.String()), 0o600); err != nil {
		f.t.Fatal(err)
	}
	book, err = filepath.Abs("../deploy/ansible/" + book)
	if err != nil {
		f.t.Fatal(err)
	}
	cmd := exec.Command("ansible-playbook", "-i", file, "-e", string(extra), book)
	cmd.Env = append(os.Environ(), "ANSIBLE_CONFIG="+f.dir+"/ansible.cfg", "ANSIBLE_NOCOLOR=1", "ANSIBLE_RETRY_FILES_ENABLED=0", "HOME="+f.dir, "ANSIBLE_LOCAL_TEMP="+f.dir+"/tmp",
		"ANSIBLE_SSH_CONTROL_PATH_DIR="+f.dir+"/cp", "ANSIBLE_HOST_KEY_CHECKING=1", "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// listen has a program of a host listen on a port, on which nothing should.
func (f *fleet) listen(n, port int) {
	f.t.Helper()
	cmd := exec.Command("nsenter", fmt.Sprintf("--net=/run/netns/h%d", n), "python3", "-c", fmt.Sprintf("import socket,time\ns=socket.create_server(('0.0.0.0',%d))\ntime.sleep(3600)", port))
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// ruleset is what is loaded on a host.
func (f *fleet) ruleset(n int) string {
	out, err := exec.Command("nsenter", fmt.Sprintf("--net=/run/netns/h%d", n), "nft", "list", "ruleset").CombinedOutput()
	if err != nil {
		f.t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// TestFleetAnsible collects over SSH from three hosts and one that does not answer, judges here, fixes host by host from a canary on, stops at the
// first failure, and changes nothing the second time.
func TestFleetAnsible(t *testing.T) {
	if os.Getenv("RINGFENCE_FLEET") == "" {
		t.Skip("the machine lacks: the Ansible of make test-fleet")
	}
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "ansible-playbook", "sshd", "nft", "python3")
	f := newFleet(t)
	begin := time.Now()
	out, err := f.play("audit.yml", []int{1, 2, 3, 4}, nil)
	if err == nil || !strings.Contains(out, "h4 ") || !strings.Contains(out, "exit code 3") {
		t.Fatalf("the host that does not answer: %v\n%s", err, out)
	}
	b, err := os.ReadFile(f.dir + "/out/report.json")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var all struct {
		Fleet struct {
			Counts struct{ Judged, Missing, Verified int }
			Hosts  []struct{ Name, State string }
		}
	}
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	if c := all.Fleet.Counts; c.Judged != 3 || c.Verified != 3 || c.Missing != 1 || all.Fleet.Hosts[0].Name != "h4" {
		t.Errorf("%+v\n%s", all.Fleet, out)
	}
	t.Logf("four hosts collected and judged in %s", time.Since(begin).Round(time.Second))
	if out, err := f.play("audit.yml", []int{1, 2, 3}, nil); err != nil || strings.Contains(strings.ReplaceAll(out, "changed=0", ""), "changed=") {
		t.Errorf("the second time: %v\n%s", err, out)
	}
	f.fixes(t)
}

// fixes has a finding on each host closed.
func (f *fleet) fixes(t *testing.T) {
	for n := 1; n <= 3; n++ {
		f.listen(n, 2375)
	}
	vars := func(more map[string]any) map[string]any {
		v := map[string]any{
			"ringfence_allow_from": []string{"10.20.0.1"}, "ringfence_fix_state_args": []string{"--root", "/run/ringfence"}, "ringfence_confirm_timeout": 40,
			"ringfence_fix_args": []string{"--persist", "never"},
		}
		maps.Copy(v, more)
		return v
	}
	// The canary cannot be fixed: nothing is done to the others.
	out, err := f.play("fix.yml", []int{1, 2, 3}, vars(map[string]any{"ringfence_fix_args": []string{"--persist", "never", "--keep", "nonsense"}, "ringfence_confirm_timeout": 6}))
	if err == nil || strings.Contains(f.ruleset(2)+f.ruleset(3), "ringfence") || strings.Contains(out, "h2 ") && strings.Contains(out, "ok: [h2]") {
		t.Errorf("the canary failed, and the run went on: %v\n%s", err, out)
	}
	out, err = f.play("fix.yml", []int{1, 2, 3}, vars(nil))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for n := 1; n <= 3; n++ {
		if !strings.Contains(f.ruleset(n), "table inet ringfence {") {
			t.Errorf("h%d is not fixed\n%s", n, f.ruleset(n))
		}
		if b, err := os.ReadFile(fmt.Sprintf("%s/out/fix-h%d.txt", f.dir, n)); err != nil || len(b) < 100 {
			t.Errorf("the evidence of h%d: %v, %s", n, err, b)
		}
	}
	before := f.ruleset(1)
	out, err = f.play("fix.yml", []int{1, 2, 3}, vars(nil))
	if err != nil || strings.Contains(strings.ReplaceAll(out, "changed=0", ""), "changed=") || f.ruleset(1) != before {
		t.Errorf("the second time: %v\n%s", err, out)
	}
}
