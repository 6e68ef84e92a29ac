// Writes the lines FIRST … END - 1 by lumberjack, which rotates FILE: write FILE NAME FIRST END.
// Its smallest size is 1 MiB: it is told to rotate, as programs do at a signal. In slices, a moment
// apart: a trial needs time in which things happen.
package main

import (
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"gopkg.in/natefinch/lumberjack.v2"
)

const (
	slice     = 50
	pause     = 10 * time.Millisecond
	linesEach = 900 // a file
)

func main() {
	file := &lumberjack.Logger{Filename: os.Args[1], Compress: true}
	log.SetOutput(file)
	name := os.Args[2]
	first, _ := strconv.Atoi(os.Args[3])
	end, _ := strconv.Atoi(os.Args[4])
	padding := strings.Repeat("x", 60)
	for n := first; n < end; n++ {
		log.Printf("%s #%d. %s %d;", name, n, padding, n)
		if n%linesEach == linesEach-1 {
			if err := file.Rotate(); err != nil {
				panic(err)
			}
		}
		if n%slice == slice-1 {
			time.Sleep(pause)
		}
	}
	file.Close()
	time.Sleep(500 * time.Millisecond) // it compresses on a goroutine that nothing waits for
}
