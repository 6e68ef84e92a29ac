// Logs FIRST … FIRST + COUNT - 1 by a logger that a block of docs/senders.md sets up: shop NAME FIRST COUNT.
// In slices, a moment apart: a trial needs time in which things happen.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"time"
)

func main() {
	// THE BLOCK
	levels := []slog.Level{slog.LevelInfo, slog.LevelWarn, slog.LevelError}
	first, _ := strconv.Atoi(os.Args[2])
	count, _ := strconv.Atoi(os.Args[3])
	for n := first; n < first+count; n++ {
		text := fmt.Sprintf("%s #%d. at %d", os.Args[1], n, time.Now().UnixMilli())
		logger.Log(context.Background(), levels[n%3], text, "n", n)
		if n%50 == 49 {
			time.Sleep(20 * time.Millisecond)
		}
	}
}
