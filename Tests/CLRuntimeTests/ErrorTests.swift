import CLRuntime
import Testing

struct ErrorTests {
    @Test func statusesHaveTheirNames() {
        #expect(CLStatus.success.description == "CL_SUCCESS")
        #expect(CLStatus(rawValue: -5).description == "CL_OUT_OF_RESOURCES")
        #expect(CLStatus(rawValue: -54).description == "CL_INVALID_WORK_GROUP_SIZE")
        #expect(CLStatus(rawValue: -68).description == "CL_INVALID_DEVICE_PARTITION_COUNT")
        #expect(CLStatus.platformNotFound.description == "CL_PLATFORM_NOT_FOUND_KHR")
        #expect(CLStatus(rawValue: -4242).description == "OpenCL status -4242")
    }

    @Test func outOfMemoryIsTold() {
        for status in [-4, -5, -6, -61] as [Int32] {
            #expect(CLError.call("x", CLStatus(rawValue: status)).isOutOfMemory)
            #expect(CLError.library("CLBlast", operation: "SGEMM", status: status).isOutOfMemory)
        }
        #expect(!CLError.call("x", CLStatus(rawValue: -30)).isOutOfMemory)
        #expect(!CLError.noDevice("x").isOutOfMemory)
        #expect(!CLError.shape(operation: "x", expected: "1", got: "2").isOutOfMemory)
    }

    /// Drivers report CL_OUT_OF_RESOURCES both when memory runs out and when a kernel fails.
    @Test func outOfResourcesMayBeEither() {
        let message = "\(CLError.call("clFinish", .outOfResources))"
        for part in ["clFinish", "CL_OUT_OF_RESOURCES", "memory", "registers", "a kernel failed"] {
            #expect(message.contains(part))
        }
    }

    @Test func messagesNameTheThingAtFault() {
        #expect(
            "\(CLError.call("clFinish", .memObjectAllocationFailure))"
                == "clFinish failed with CL_MEM_OBJECT_ALLOCATION_FAILURE")
        #expect("\(CLError.shape(operation: "gemm", expected: "3", got: "4"))" == "gemm needs 3, but got 4")
        #expect("\(CLError.noDevice("why"))" == "no OpenCL device found; why")
        #expect(
            "\(CLError.unknownDevice(spec: "x", available: ["0: a"]))" == "no device matches \"x\"; available: 0: a")
        #expect(CLError.ambiguousDevice(spec: "x", matches: []).isSelection && !CLError.noDevice("x").isSelection)
    }
}
