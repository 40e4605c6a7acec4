package sandbox

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// TestRoomForGarbage: what is in use and the garbage beside it stay within the room; what is small leaves no more than a small host does, and what is large no
// less than a part of itself.
func TestRoomForGarbage(t *testing.T) {
	for live, want := range map[uint64]int{0: startGC, 10 << 20: startGC, room / 2: 100, 2 * room / 3: largeGC, room: largeGC, 1 << 40: largeGC} {
		if got := percent(live); got != want {
			t.Errorf("%d bytes in use: %d percent, want %d", live, got, want)
		}
	}
	for live := uint64(room / 3); live < room/2; live += room / 100 {
		if all := live + live*uint64(percent(live))/100; all > room {
			t.Errorf("%d bytes in use become %d", live, all)
		}
	}
}

// TestPace: a collection says when the next one is, once it is asked to.
func TestPace(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(startGC))
	b := new(bench)
	b.pace()
	b.pace()
	now := func() int {
		p := debug.SetGCPercent(startGC)
		debug.SetGCPercent(p)
		return p
	}
	held := make([]byte, room/2)
	for end := time.Now().Add(time.Minute); now() == startGC || now() == largeGC; time.Sleep(time.Millisecond) {
		if runtime.GC(); time.Now().After(end) {
			t.Fatalf("%d percent with %d bytes in use", now(), len(held))
		}
	}
	runtime.KeepAlive(held)
}
