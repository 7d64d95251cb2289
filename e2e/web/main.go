// Command web answers every GET with its host name, which is the Pod's name.
//
// It is for clients that ask hundreds of times a second on a machine where a
// fork takes tens of milliseconds: no process is started for a request, and
// connections wait in a queue as long as the kernel allows.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	name, err := os.Hostname()
	if err != nil {
		log.Fatal(err)
	}
	// Process 1 gets only the signals that it handles.
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-stop
		os.Exit(0)
	}()
	server := http.Server{
		Addr:        ":" + os.Getenv("PORT"),
		ReadTimeout: 5 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintln(w, name)
		}),
	}
	log.Fatal(server.ListenAndServe())
}
