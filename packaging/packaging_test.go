package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// entries are the files of a tar.
func entries(t *testing.T, b []byte) (names []string, files map[string][]byte) {
	t.Helper()
	files = map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(b)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names, files
		}
		if err != nil {
			t.Fatal(err)
		}
		c, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" || !h.ModTime.Equal(time.Unix(1000, 0)) {
			t.Errorf("%s: owner %d:%d %s, time %s", h.Name, h.Uid, h.Gid, h.Uname, h.ModTime)
		}
		names = append(names, h.Name)
		files[h.Name] = c
	}
}

// TestImage: every digest is that of the bytes it names, the layer is the tree, and the same tree gives the same bytes at another time.
func TestImage(t *testing.T) {
	tree := fstest.MapFS{
		"usr/bin/ringfence": {Data: []byte("program"), Mode: 0o700, ModTime: time.Now()}, "usr/share/doc/NOTICE": {Data: []byte("text"), Mode: 0o600},
	}
	b, err := image(tree, "arm64", "1.2.3", time.Unix(1000, 0))
	if err != nil {
		t.Fatal(err)
	}
	tree["usr/bin/ringfence"].ModTime = time.Now().Add(time.Hour)
	if again, err := image(tree, "arm64", "1.2.3", time.Unix(1000, 0)); err != nil || !bytes.Equal(b, again) {
		t.Errorf("other bytes: %v", err)
	}
	_, files := entries(t, b)
	blob := func(d descriptor) []byte {
		c := files["blobs/sha256/"+strings.TrimPrefix(d.Digest, "sha256:")]
		if "sha256:"+digest(c) != d.Digest || len(c) != d.Size {
			t.Fatalf("%+v: %d bytes", d, len(c))
		}
		return c
	}
	read := func(b []byte, v any) {
		if err := json.Unmarshal(b, v); err != nil {
			t.Fatal(err)
		}
	}
	var i index
	var m manifest
	var c config
	read(files["index.json"], &i)
	read(blob(i.Manifests[0]), &m)
	read(blob(m.Config), &c)
	if i.Manifests[0].Platform.Architecture != "arm64" || c.Architecture != "arm64" || c.Config.Entrypoint[0] != "/usr/bin/ringfence" {
		t.Errorf("%+v %+v", i, c)
	}
	z, err := gzip.NewReader(bytes.NewReader(blob(m.Layers[0])))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil || "sha256:"+digest(plain) != c.RootFS.DiffIDs[0] {
		t.Errorf("%v: the layer is not what the configuration says", err)
	}
	names, in := entries(t, plain)
	if got := strings.Join(names, " "); got != "usr/ usr/bin/ usr/bin/ringfence usr/share/ usr/share/doc/ usr/share/doc/NOTICE" || string(in["usr/bin/ringfence"]) != "program" {
		t.Error(got)
	}
}

// TestSBOM: the list has the modules of a binary, this test's own.
func TestSBOM(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := sbom(self, "1.2.3", time.Unix(1000, 0))
	if err != nil {
		t.Fatal(err)
	}
	var got bom
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if got.Format != "CycloneDX" || got.Components[0].Name != "std" || len(got.Depends[0].On) != len(got.Components) || got.Metadata.Timestamp != "1970-01-01T00:16:40Z" ||
		len(got.Metadata.Component.Hashes[0].Content) != 64 {
		t.Errorf("%s", b)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"image"}, {"sbom", "x", "1", "now", "y"}, {"sbom", filepath.Join(t.TempDir(), "none"), "1", "0", "y"}, {"image", ".", "amd64", "1", "x", "y"}} {
		if err := run(args); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
	file := filepath.Join(t.TempDir(), "image.tar")
	if err := run([]string{"image", ".", "amd64", "1", "0", file}); err != nil {
		t.Error(err)
	}
}

// TestScriptsAreDated: an apk has the time of each script, which is that of the commit and not of whoever checked the files out.
func TestScriptsAreDated(t *testing.T) {
	b, err := os.ReadFile("nfpm.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, scripts, _ := strings.Cut(string(b), "\nscripts:\n")
	n := 0
	for line := range strings.Lines(scripts) {
		name, place, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if !strings.HasPrefix(line, " ") {
			break
		}
		if n++; !strings.HasPrefix(place, `"@SCRIPTS@/`) {
			t.Errorf("%s is taken from %s, whose time is not set", name, place)
		}
	}
	made, err := os.ReadFile("packages.sh")
	if err != nil || n == 0 || !strings.Contains(string(made), `find "$TREE" "$work/scripts" -exec touch -h -d "@$epoch" {} +`) {
		t.Errorf("%v, %d scripts, whose time packages.sh does not set", err, n)
	}
}
