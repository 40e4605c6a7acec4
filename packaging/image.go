package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"time"
)

// The types of the OCI image format (image-spec, v1.0), and of what "docker load" reads.
type (
	descriptor struct {
		MediaType   string            `json:"mediaType"`
		Digest      string            `json:"digest"`
		Size        int               `json:"size"`
		Platform    *platform         `json:"platform,omitempty"`
		Annotations map[string]string `json:"annotations,omitempty"`
	}
	platform struct {
		Architecture string `json:"architecture"`
		OS           string `json:"os"`
	}
	manifest struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Config        descriptor   `json:"config"`
		Layers        []descriptor `json:"layers"`
	}
	index struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Manifests     []descriptor `json:"manifests"`
	}
	config struct {
		Created      string   `json:"created"`
		Architecture string   `json:"architecture"`
		OS           string   `json:"os"`
		Config       settings `json:"config"`
		RootFS       rootFS   `json:"rootfs"`
	}
	settings struct {
		Entrypoint []string
		Env        []string
		WorkingDir string
		Labels     map[string]string
	}
	rootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	}
	docker struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
)

// archive is a tar whose entries all have one time and belong to root.
type archive struct {
	b    bytes.Buffer
	w    *tar.Writer
	when time.Time
	err  error
}

func newArchive(when time.Time) *archive {
	a := &archive{when: when}
	a.w = tar.NewWriter(&a.b)
	return a
}

func (a *archive) add(name string, mode int64, kind byte, content []byte) {
	if a.err != nil {
		return
	}
	h := &tar.Header{Typeflag: kind, Name: name, Mode: mode, Size: int64(len(content)), ModTime: a.when, Format: tar.FormatUSTAR}
	if a.err = a.w.WriteHeader(h); a.err == nil {
		_, a.err = a.w.Write(content)
	}
}

func (a *archive) bytes() ([]byte, error) {
	if a.err == nil {
		a.err = a.w.Close()
	}
	return a.b.Bytes(), a.err
}

// image is the tree as an image: an archive of an OCI layout, which "docker load" reads too.
func image(tree fs.FS, processor, version string, when time.Time) ([]byte, error) {
	plain, packed, err := layer(tree, when)
	if err != nil {
		return nil, err
	}
	out := newArchive(when)
	out.add("oci-layout", 0o644, tar.TypeReg, []byte(`{"imageLayoutVersion":"1.0.0"}`))
	out.add("blobs/", 0o755, tar.TypeDir, nil)
	out.add("blobs/sha256/", 0o755, tar.TypeDir, nil)
	blob := func(b []byte, mediaType string) descriptor {
		out.add("blobs/sha256/"+digest(b), 0o644, tar.TypeReg, b)
		return descriptor{MediaType: mediaType, Digest: "sha256:" + digest(b), Size: len(b)}
	}
	layerBlob := blob(packed, "application/vnd.oci.image.layer.v1.tar+gzip")
	cfg, err := json.Marshal(config{
		Created: when.Format(time.RFC3339), Architecture: processor, OS: "linux",
		Config: settings{
			Entrypoint: []string{"/usr/bin/ringfence"}, Env: []string{"PATH=/usr/bin"}, WorkingDir: "/",
			Labels: map[string]string{
				"org.opencontainers.image.title": "ringfence", "org.opencontainers.image.version": version, "org.opencontainers.image.licenses": "Apache-2.0",
			},
		},
		RootFS: rootFS{"layers", []string{"sha256:" + digest(plain)}},
	})
	if err != nil {
		return nil, err
	}
	configBlob := blob(cfg, "application/vnd.oci.image.config.v1+json")
	man, err := json.Marshal(manifest{2, "application/vnd.oci.image.manifest.v1+json", configBlob, []descriptor{layerBlob}})
	if err != nil {
		return nil, err
	}
	d := blob(man, "application/vnd.oci.image.manifest.v1+json")
	name := "localhost/ringfence:" + version
	d.Platform = &platform{processor, "linux"}
	d.Annotations = map[string]string{"org.opencontainers.image.ref.name": name, "io.containerd.image.name": name}
	idx, err := json.Marshal(index{2, "application/vnd.oci.image.index.v1+json", []descriptor{d}})
	if err != nil {
		return nil, err
	}
	out.add("index.json", 0o644, tar.TypeReg, idx)
	load, err := json.Marshal([]docker{{"blobs/sha256/" + digest(cfg), []string{name}, []string{"blobs/sha256/" + digest(packed)}}})
	if err != nil {
		return nil, err
	}
	out.add("manifest.json", 0o644, tar.TypeReg, load)
	return out.bytes()
}

// layer is a tree as a layer, plain and packed. Files that somebody may execute are 0755, the others 0644.
func layer(tree fs.FS, when time.Time) (plain, packed []byte, err error) {
	a := newArchive(when)
	err = fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		if d.IsDir() {
			a.add(path+"/", 0o755, tar.TypeDir, nil)
			return a.err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		b, err := fs.ReadFile(tree, path)
		if err != nil {
			return err
		}
		mode := int64(0o644)
		if info.Mode()&0o111 != 0 {
			mode = 0o755
		}
		a.add(path, mode, tar.TypeReg, b)
		return a.err
	})
	if err != nil {
		return nil, nil, err
	}
	if plain, err = a.bytes(); err != nil {
		return nil, nil, err
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, nil, err
	}
	if _, err := z.Write(plain); err != nil {
		return nil, nil, err
	}
	if err := z.Close(); err != nil {
		return nil, nil, err
	}
	return plain, b.Bytes(), nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
