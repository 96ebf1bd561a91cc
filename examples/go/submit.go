// Submits the saga that a JSON file defines, waits for it, and says how it ended.
//
// usage: go run . SAGA.pb FILE [SERVER [REQUEST_ID]]
//
// SAGA.pb is made by: protoc --include_imports --descriptor_set_out=SAGA.pb -I proto proto/txcenter/saga/v1/saga.proto.
// A program of your own would rather use the code that protoc-gen-go makes; this one needs none.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

const pkg = "txcenter.saga.v1."

// codec takes messages without generated code, which Debian's gRPC doesn't do by itself.
type codec struct{}

func (codec) Name() string                          { return "proto" }
func (codec) Marshal(v interface{}) ([]byte, error) { return proto.Marshal(v.(proto.Message)) }
func (codec) Unmarshal(bytes []byte, v interface{}) error {
	return proto.Unmarshal(bytes, v.(proto.Message))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// messages makes empty messages by their names.
func messages(path string) func(name string) *dynamicpb.Message {
	bytes, err := os.ReadFile(path)
	check(err)
	set := &descriptorpb.FileDescriptorSet{}
	check(proto.Unmarshal(bytes, set))
	files, err := protodesc.NewFiles(set)
	check(err)
	return func(name string) *dynamicpb.Message {
		found, err := files.FindDescriptorByName(protoreflect.FullName(pkg + name))
		check(err)
		return dynamicpb.NewMessage(found.(protoreflect.MessageDescriptor))
	}
}

func get(of protoreflect.Message, name string) protoreflect.Value {
	return of.Get(of.Descriptor().Fields().ByName(protoreflect.Name(name)))
}

func set(of protoreflect.Message, name string, value interface{}) {
	of.Set(of.Descriptor().Fields().ByName(protoreflect.Name(name)), protoreflect.ValueOf(value))
}

func main() {
	if len(os.Args) < 3 {
		log.Fatal("usage: submit SAGA.pb FILE [SERVER [REQUEST_ID]]")
	}
	message, server, requestID := messages(os.Args[1]), "127.0.0.1:7600", strconv.FormatInt(time.Now().UnixNano(), 36)
	if len(os.Args) > 3 {
		server = os.Args[3]
	}
	if len(os.Args) > 4 {
		requestID = os.Args[4]
	}
	text, err := os.ReadFile(os.Args[2])
	check(err)
	request, response := message("SubmitSagaRequest"), message("SubmitSagaResponse")
	definition := message("SagaDefinition")
	check(protojson.Unmarshal(text, definition))
	// The same request_id again is the same saga: keep it, and ask again when no answer comes.
	set(request, "request_id", requestID)
	set(request, "saga", definition)
	set(request, "wait_ms", int32(10000))

	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	// What every gRPC of major version 1 has, Debian 12's (1.33) too. Newer ones would rather have grpc.NewClient and
	// insecure.NewCredentials() of google.golang.org/grpc/credentials/insecure, or credentials.NewTLS() where there is TLS.
	conn, err := grpc.Dial(server, grpc.WithInsecure())
	check(err)
	defer conn.Close()
	ctx = metadata.AppendToOutgoingContext(ctx, "x-caller", "example")
	check(conn.Invoke(ctx, "/txcenter.saga.v1.SagaService/SubmitSaga", request, response, grpc.ForceCodec(codec{}),
		grpc.WaitForReady(true)))

	saga := get(response, "saga").Message()
	status := saga.Descriptor().Fields().ByName("status").Enum().Values().ByNumber(get(saga, "status").Enum()).Name()
	fmt.Println(get(saga, "gid"), status, get(saga, "reason"))
	for steps, i := get(saga, "steps").List(), 0; i < steps.Len(); i++ {
		step := steps.Get(i).Message()
		fmt.Println(" ", get(step, "name"), string(get(step, "answer").Bytes()))
	}
	if status != "SAGA_STATUS_SUCCEEDED" {
		os.Exit(1)
	}
}
