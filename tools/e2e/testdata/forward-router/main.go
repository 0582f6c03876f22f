// Command forward-router stands in for Fluent Bit in tests: it takes Fluentd's forward protocol, by the receiver of the OpenTelemetry
// collector, at the socket that a FireLens configuration names, and prints each record as a line of JSON. Of the configuration it reads
// that socket, and the variables, whose lengths it prints first.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/signal"
	"regexp"
	"syscall"

	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/fluentforwardreceiver"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

var (
	socket   = regexp.MustCompile(`(?m)^\s*(?:unix_path|path) (\S+)$`)
	variable = regexp.MustCompile(`\$\{([^}]+)\}`)
)

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for _, found := range variable.FindAllStringSubmatch(string(text), -1) {
		print(map[string]any{"variable": found[1], "length": len(os.Getenv(found[1]))})
	}
	factory := fluentforwardreceiver.NewFactory()
	config := factory.CreateDefaultConfig().(*fluentforwardreceiver.Config)
	config.ListenAddress = "unix://" + socket.FindStringSubmatch(string(text))[1]
	// Of an earlier start of the container.
	os.Remove(config.ListenAddress[len("unix://"):])
	next, err := consumer.NewLogs(take)
	if err != nil {
		log.Fatal(err)
	}
	settings := receivertest.NewNopSettings(component.MustNewType("fluentforward"))
	receiver, err := factory.CreateLogs(context.Background(), settings, config, next)
	if err != nil {
		log.Fatal(err)
	}
	if err := receiver.Start(context.Background(), componenttest.NewNopHost()); err != nil {
		log.Fatal(err)
	}
	ended, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	<-ended.Done()
	receiver.Shutdown(context.Background())
}

func take(_ context.Context, logs plog.Logs) error {
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				print(map[string]any{
					"log":         record.Body().AsString(),
					"nanoseconds": record.Timestamp().AsTime().Nanosecond(),
					"attributes":  record.Attributes().AsRaw(),
				})
			}
		}
	}
	return nil
}

func print(value any) {
	line, err := json.Marshal(value)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(line))
}
