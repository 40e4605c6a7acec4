package trial

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/dropin"
)

const theirRules = "/etc/ringfence/ringfence.nft"

// TestBootFileOfSomebodyElse: before anything is loaded, a file with a name of ours that is somebody else's is asked about, and else refused; what
// takes a fix out leaves it alone and says so.
func TestBootFileOfSomebodyElse(t *testing.T) {
	w := newFake(t)
	w.strange = []string{theirRules}
	_, err, _ := w.fix(Options{By: Auto, Persist: true})
	w.wantRefused(err, theirRules+" is somebody else's")
	if count(w.steps, "try") > 0 || len(w.strange) != 1 {
		t.Error("it was loaded, or the file removed")
	}
	if _, err, _ := w.fix(Options{By: Auto, Persist: true, DryRun: true}); err != nil || !w.heard(theirRules+" is somebody else's") {
		t.Errorf("a dry run: %v", err)
	}
	if _, err, _ := w.fix(Options{By: Auto}); err != nil || !w.closed() { // no file is written
		t.Errorf("not persisted: %v", err)
	}
	w.said = nil
	if err := w.world().TakeOut(t.Context(), false); err != nil || !w.heard("left alone") || len(w.strange) != 1 {
		t.Errorf("taken out: %v", err)
	}
	w.tty, w.answer = true, "no"
	if err := w.world().Uninstall(t.Context()); err != nil || len(w.strange) != 1 {
		t.Errorf("uninstalled: %v", err)
	}
	w.answer = "yes"
	if err := w.world().Uninstall(t.Context()); err != nil || len(w.strange) != 0 {
		t.Errorf("uninstalled, asked for: %v", err)
	}
	w = newFake(t)
	w.strange, w.tty, w.answer = []string{theirRules}, true, "yes"
	w.at["ask keep"] = func() { w.answer = "keep" }
	if _, err, _ := w.fix(Options{By: Console, Persist: true}); err != nil || w.persisted == nil {
		t.Errorf("asked for: %v", err)
	}
	w = newFake(t) // it comes while the fix is on trial
	once(w, "promote", func() { w.strange = []string{theirRules} })
	if _, err, _ := w.fix(Options{By: Auto, Persist: true}); !isUnclear(err) || !strings.Contains(err.Error(), "only until the next boot") || w.persisted != nil {
		t.Errorf("meanwhile: %v", err)
	}
}

// TestServiceFileOfSomebodyElse: a drop-in of our name that no fix put there is asked about, and else refused; the next service is tried.
func TestServiceFileOfSomebodyElse(t *testing.T) {
	w := newFake(t)
	w.dropFiles = []dropin.File{{Service: "sshd", Path: "/a", Content: "ours"}, {Service: "sysctl", Path: "/b", Content: "ours"}}
	w.files["/a"] = "theirs"
	_, err, _ := w.fix(Options{By: Auto, Layer: LayerService})
	var partly *PartlyError
	if !errors.As(err, &partly) || !w.heard("/a is somebody else's") || w.files["/a"] != "theirs" || w.files["/b"] != "ours" {
		t.Errorf("%v, %v", err, w.files)
	}
	w.tty, w.answer = true, "yes"
	w.at["ask keep"] = func() { w.answer = "keep" }
	if _, err, _ := w.fix(Options{By: Console, Layer: LayerService}); err != nil || w.files["/a"] != "ours" {
		t.Errorf("asked for: %v, %v", err, w.files)
	}
	w.tty = false
	if err := w.world().TakeOut(t.Context(), false); err != nil || w.files["/a"] != "theirs" || w.files["/b"] != "" {
		t.Errorf("taken back: %v, %v", err, w.files)
	}
}

// TestKeptFileThatWasChanged: what somebody made of a file that was kept is not taken back unasked, and one that was changed on trial is not kept.
func TestKeptFileThatWasChanged(t *testing.T) {
	kept := func() *fake {
		w := newFake(t)
		w.dropFiles = []dropin.File{{Service: "sshd", Path: "/a", Content: "ours"}}
		if _, err, _ := w.fix(Options{By: Auto, Layer: LayerService}); err != nil {
			t.Fatal(err)
		}
		w.files["/a"] = "edited"
		return w
	}
	w := kept()
	if err := w.world().TakeOut(t.Context(), false); err != nil || w.files["/a"] != "edited" || !w.heard("/a was changed") {
		t.Errorf("%v, %v", err, w.files)
	}
	w = kept()
	w.tty, w.answer = true, "yes"
	if err := w.world().TakeOut(t.Context(), false); err != nil || w.files["/a"] != "" || w.files["/a.changed"] != "edited" {
		t.Errorf("asked for: %v, %v", err, w.files)
	}
	w = newFake(t)
	w.dropFiles = []dropin.File{{Service: "sshd", Path: "/a", Content: "ours"}}
	w.at["reload service"] = func() { w.files["/a"] = "edited" }
	_, err, _ := w.fix(Options{By: Auto, Layer: LayerService})
	if !isRefused(err) || w.files["/a"] != "" || w.files["/a.changed"] != "edited" || !slices.Contains(w.steps, "take file back") {
		t.Errorf("on trial: %v, %v", err, w.files)
	}
}
