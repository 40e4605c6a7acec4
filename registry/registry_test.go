package registry

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/ringfence/ringfence/need"
)

const sample = "Windows Registry Editor Version 5.00\r\n\r\n" +
	"; a comment\r\n[HKEY_LOCAL_MACHINE\\SYSTEM\\A]\r\n" +
	"\"text\"=\"C:\\\\a \\\"b\\\"\"\r\n@=\"default\"\r\n\"two\"=\"one\r\ntwo\"\r\n" +
	"\"n\"=dword:0000000a\r\n\"q\"=hex(b):01,00,00,00,00,00,00,00\r\n" +
	"\"list\"=hex(7):61,00,00,00,62,00,\\\r\n  00,00,00,00\r\n\"bin\"=hex:de,ad\r\n\"Größe\"=dword:00000001\r\n\r\n" +
	"[HKEY_LOCAL_MACHINE\\SYSTEM\\A\\Sub]\r\n\"x\"=hex(2):25,00,61,00,25,00,00,00\r\n" +
	"[HKEY_LOCAL_MACHINE\\SYSTEM\\B]\r\n\"gone\"=dword:1\r\n\"gone\"=-\r\n" +
	"[HKEY_LOCAL_MACHINE\\SYSTEM\\C]\r\n[-HKEY_LOCAL_MACHINE\\SYSTEM\\C]\r\n"

func wide(s string) []byte {
	b := []byte{0xff, 0xfe}
	for _, c := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, c)
	}
	return b
}

// dump is a key and all below it as text.
func dump(t testing.TB, k Key, path string) string {
	t.Helper()
	var b strings.Builder
	values, err := k.Values()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		fmt.Fprintf(&b, "%s %q %d %d bytes: %x\n", path, v.Name, v.Type, len(v.Data), v.Data[:min(64, len(v.Data))])
	}
	names, err := k.Keys()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		c, err := k.Key(strings.ToUpper(n))
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(path + `\` + n + "\n" + dump(t, c, path+`\`+n))
	}
	return b.String()
}

func TestText(t *testing.T) {
	var dumps []string
	for _, b := range [][]byte{[]byte(sample), wide(sample), append([]byte{0xef, 0xbb, 0xbf}, sample...)} {
		root, err := ReadText(b)
		if err != nil {
			t.Fatal(err)
		}
		k, err := Open(root, `HKEY_LOCAL_MACHINE\system\a`)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]any{
			"text": `C:\a "b"`, "": "default", "two": "one\ntwo", "N": uint64(10), "q": uint64(1), "list": []string{"a", "b"}, "Größe": uint64(1),
		} {
			v, err := Get(k, name)
			if err != nil {
				t.Fatal(err)
			}
			var got any
			switch want.(type) {
			case string:
				got, _ = v.Text()
			case uint64:
				got, _ = v.Number()
			default:
				got, _ = v.Texts()
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%q: got %#v, want %#v", name, got, want)
			}
		}
		if _, err := Open(root, `HKEY_LOCAL_MACHINE\SYSTEM\C`); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a deleted key: %v", err)
		}
		gone, err := Open(root, `HKEY_LOCAL_MACHINE\SYSTEM\B`)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Get(gone, "gone"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a deleted value: %v", err)
		}
		dumps = append(dumps, dump(t, root, ""))
	}
	if dumps[0] != dumps[1] || dumps[1] != dumps[2] {
		t.Error("the encoding of a text changes what is in it")
	}
	for _, bad := range []string{"", "MZ", "Windows Registry Editor Version 5.00\n[X", "REGEDIT4\nx", "REGEDIT4\n[A]\n\"a\"=\"b", "REGEDIT4\n[A]\n\"a\"=hex:0", "REGEDIT4\n\"a\"=dword:1"} {
		if _, err := ReadText([]byte(bad)); !errors.Is(err, ErrDamaged) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func sampleTree(t testing.TB) *Tree {
	t.Helper()
	root, err := ReadText([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	k, err := Open(root, `HKEY_LOCAL_MACHINE\SYSTEM`)
	if err != nil {
		t.Fatal(err)
	}
	tree := k.(*Tree)
	tree.Add("Large").Set(Value{Name: "data", Type: Binary, Data: bytes.Repeat([]byte("0123456789"), 5000)})
	return tree
}

// TestHive: a hive of the same keys says the same as the text.
func TestHive(t *testing.T) {
	tree := sampleTree(t)
	b := hiveOf(tree)
	h, err := OpenHive(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	root, err := h.Root()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := dump(t, root, ""), dump(t, tree, ""); got != want || h.Dirty {
		t.Errorf("dirty %v, got\n%s\nwant\n%s", h.Dirty, got, want)
	}
	b[4]++
	if h, err = OpenHive(bytes.NewReader(b), int64(len(b))); err != nil || !h.Dirty {
		t.Errorf("a hive that was not written to its end: dirty %v, %v", h.Dirty, err)
	}
	b[28] = 6
	if _, err = OpenHive(bytes.NewReader(b), int64(len(b))); err == nil || !strings.Contains(err.Error(), "a log of one") {
		t.Errorf("the log of a hive is read as one: %v", err)
	}
}

// TestHiveByOthers: hivex reads the hives of the tests as we do.
func TestHiveByOthers(t *testing.T) {
	need.Program(t, "hivexregedit")
	tree := sampleTree(t)
	tree.Add("A").unset("Größe") // which it writes in another encoding than the rest
	file := filepath.Join(t.TempDir(), "SYSTEM")
	if err := os.WriteFile(file, hiveOf(tree), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("hivexregedit", "--export", "--prefix", `HKEY_LOCAL_MACHINE\SYSTEM`, file, `\`).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	root, err := ReadText(out)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	k, err := Open(root, `HKEY_LOCAL_MACHINE\SYSTEM`)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := dump(t, k, ""), dump(t, tree, ""); got != want {
		t.Errorf("hivex says\n%s\nwant\n%s", got, want)
	}
}

// entryOf is an entry of a registry.pol.
func entryOf(key, name string, typ Type, data []byte) []byte {
	le := binary.LittleEndian
	b := []byte{'[', 0}
	for _, s := range []string{key, name} {
		b = append(append(b, bytes16(s)...), ';', 0)
	}
	b = append(le.AppendUint32(b, uint32(typ)), ';', 0)
	b = append(le.AppendUint32(b, uint32(len(data))), ';', 0)
	return append(append(b, data...), ']', 0)
}

func TestPol(t *testing.T) {
	one := []byte{1, 0, 0, 0}
	pol := []byte("PReg\x01\x00\x00\x00")
	for _, e := range [][]byte{
		entryOf(`Software\Policies\X`, "a", DWORD, one), entryOf(`Software\Policies\X`, "b", SZ, bytes16("t")), entryOf(`SOFTWARE\Policies\X`, "**del.A", SZ, nil),
		entryOf(`Software\Policies\X`, "**soft.b", SZ, bytes16("other")), entryOf(`Software\Policies\X\Y`, "c", DWORD, one),
		entryOf(`Software\Policies\X`, "**DeleteKeys", SZ, bytes16("Y;Z")),
	} {
		pol = append(pol, e...)
	}
	root, err := ReadPol(pol)
	if err != nil {
		t.Fatal(err)
	}
	const want = `\Software` + "\n" + `\Software\Policies` + "\n" + `\Software\Policies\X` + "\n" + `\Software\Policies\X "b" 1 4 bytes: 74000000` + "\n"
	if got := dump(t, root, ""); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for i := 1; i < len(pol); i += 3 {
		if _, err := ReadPol(pol[:i]); err == nil && !strings.HasPrefix(string(pol[i:]), "[") {
			t.Errorf("cut at %d: no error", i)
		}
	}
}

// TestMounted: of several sources of a key the first says what a value is.
func TestMounted(t *testing.T) {
	read := func(s string) Key {
		root, err := ReadText([]byte("REGEDIT4\n" + s))
		if err != nil {
			t.Fatal(err)
		}
		return root
	}
	all := new(Tree)
	all.Mount("", read("[A]\n\"x\"=dword:1\n[A\\B]\n[-C]\n"))
	all.Mount("", read("[a]\n\"X\"=dword:2\n\"y\"=dword:3\n[C]\n\"z\"=dword:4\n"))
	if got, want := dump(t, all, ""), "\\A\n\\A \"x\" 4 4 bytes: 01000000\n\\A \"y\" 4 4 bytes: 03000000\n\\A\\B\n\\C\n\\C \"z\" 4 4 bytes: 04000000\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// walk reads all of a key, and ends where the reader says that there is too much or that it is damaged.
func walk(k Key, depth int, left *int) {
	if *left--; *left < 0 || depth > 20 {
		return
	}
	_, _ = k.Values()
	_, _ = k.Security()
	names, err := k.Keys()
	if err != nil {
		return
	}
	for _, n := range names {
		if c, err := k.Key(n); err == nil {
			walk(c, depth+1, left)
		}
	}
}

// TestManyRoots: keys that no key before them holds cost what they are, and are not all kept.
func TestManyRoots(t *testing.T) {
	var b strings.Builder
	b.WriteString("Windows Registry Editor Version 5.00\n\n[HKEY_LOCAL_MACHINE\\A]\n\n[HKEY_LOCAL_MACHINE\\a\\B]\n\n[HKEY_LOCAL_MACHINE\\AB]\n\n")
	for i := range 200_000 {
		fmt.Fprintf(&b, "[HKEY_LOCAL_MACHINE\\K%d]\n\n", i)
	}
	begin := time.Now()
	tree, err := ReadText([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if r := tree.Roots(); len(r) != maxRoots || r[0] != `HKEY_LOCAL_MACHINE\A` || r[1] != `HKEY_LOCAL_MACHINE\AB` {
		t.Errorf("%d roots: %q", len(r), r[:3])
	}
	if d := time.Since(begin); d > 20*time.Second { // with each key held against all before it, minutes
		t.Errorf("it took %s", d)
	}
}

func FuzzHive(f *testing.F) {
	f.Add(hiveOf(sampleTree(f)))
	f.Add([]byte("regf"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		h, err := OpenHive(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		h.left = 100_000
		left := 2000
		if k, err := h.Root(); err == nil {
			walk(k, 0, &left)
		}
	})
}

func FuzzText(f *testing.F) {
	f.Add([]byte(sample))
	f.Add(wide(sample))
	f.Fuzz(func(_ *testing.T, b []byte) {
		if k, err := ReadText(b); err == nil {
			left := 2000
			walk(k, 0, &left)
		}
	})
}

func FuzzPol(f *testing.F) {
	f.Add(append([]byte("PReg\x01\x00\x00\x00"), entryOf(`A\B`, "c", DWORD, []byte{1, 0, 0, 0})...))
	f.Fuzz(func(_ *testing.T, b []byte) {
		if k, err := ReadPol(b); err == nil {
			left := 2000
			walk(k, 0, &left)
		}
	})
}

var update = flag.Bool("update", false, "write the hives that the tests of winhost read")

// TestHivesOfWinhost: the hives there have what the texts beside them have.
func TestHivesOfWinhost(t *testing.T) {
	for name, file := range map[string]string{"SYSTEM": "system.reg", "SOFTWARE": "software.reg"} {
		b, err := os.ReadFile(filepath.Join("../winhost/testdata/wsl", file))
		if err != nil {
			t.Fatal(err)
		}
		root, err := ReadText(b)
		if err != nil {
			t.Fatal(err)
		}
		k, err := Open(root, `HKEY_LOCAL_MACHINE\`+name)
		if err != nil {
			t.Fatal(err)
		}
		want := hiveOf(k.(*Tree))
		at := filepath.Join("../winhost/testdata/hives", name)
		if *update {
			if err := os.WriteFile(at, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(at); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what %s says (go test ./registry -update): %v", at, file, err)
		}
	}
	// What netsh advfirewall export writes is a hive of the policy's own keys.
	b, err := os.ReadFile("../winhost/testdata/wsl/system.reg")
	if err != nil {
		t.Fatal(err)
	}
	root, err := ReadText(b)
	if err != nil {
		t.Fatal(err)
	}
	k, err := Open(root, `HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy`)
	if err != nil {
		t.Fatal(err)
	}
	want := hiveOf(k.(*Tree))
	const at = "../winhost/testdata/wfw/policy.wfw"
	if *update {
		if err := os.WriteFile(at, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(at); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is stale: %v", at, err)
	}
}

// TestHiveOfOneValueManyTimes: a small file whose keys name one piece of data again and again is no reason to hold gigabytes.
func TestHiveOfOneValueManyTimes(t *testing.T) {
	tree := new(Tree)
	tree.Set(Value{Name: "v", Type: Binary, Data: make([]byte, maxData)})
	b := hiveOf(tree)
	le := binary.LittleEndian
	root := base + int(le.Uint32(b[36:])) + 4
	value := le.Uint32(b[base+int(le.Uint32(b[root+40:]))+4:])
	many := &builder{b: b}
	list := many.cell(bytes.Repeat(le.AppendUint32(nil, value), maxChildren))
	le.PutUint32(many.b[root+36:], maxChildren)
	le.PutUint32(many.b[root+40:], list)
	h, err := OpenHive(bytes.NewReader(many.b), int64(len(many.b)))
	if err != nil {
		t.Fatal(err)
	}
	k, err := h.Root()
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		if _, err := k.Values(); !errors.Is(err, ErrTooMuch) {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 4*maxRead {
		t.Errorf("%d MiB were read", n>>20)
	}
}

// TestTextThatIsCut holds that a number or bytes that the text ends within are not taken for whole.
func TestTextThatIsCut(t *testing.T) {
	const head = "Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SYSTEM]\r\n"
	for _, c := range []struct {
		last string
		ok   bool
	}{
		{`"Port"=dword:0000`, false},
		{`"Port"=dword:00001761`, true},
		{"\"Port\"=dword:1761\r\n", true},
		{`"Security"=hex:01,00,04`, false},
		{"\"Security\"=hex:01,00,\\\r\n  04", false},
		{"\"Security\"=hex:01,00,\\\r\n  04\r\n", true},
		{`"Name"="whole"`, true},
		{`"Name"="wh`, false},
		{`[HKEY_LOCAL_MACHINE\SOFT`, false},
	} {
		_, err := ReadText([]byte(head + c.last))
		if got := err == nil; got != c.ok {
			t.Errorf("%q at the end: %v", c.last, err)
		}
	}
}
