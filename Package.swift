// swift-tools-version: 6.1
import PackageDescription

// Modules, top to bottom; imports point down only (docs/architecture.md draws them):
//
//   vitpatch -> Report, Spec -> Statistics, Patch -> Results, ViT, Images -> Formats, Kernels -> CLRuntime
//   -> COpenCL, CCLBlast
//
// Reference stands apart: plain loops in Double, with no import of ours. Verification checks the device against it.

let package = Package(
    name: "vitpatch",
    products: [
        .executable(name: "vitpatch", targets: ["vitpatch"]),
        .library(name: "VitPatch", targets: ["VitPatch"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.0.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // C libraries.
        .systemLibrary(
            name: "COpenCL", pkgConfig: "OpenCL", providers: [.apt(["ocl-icd-opencl-dev", "opencl-headers"])]),
        .systemLibrary(name: "CCLBlast", pkgConfig: "clblast", providers: [.apt(["libclblast-dev"])]),
        .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(
            name: "CImageIO",
            linkerSettings: ["jpeg", "png16", "z", "webp", "webpdemux", "gif", "tiff"].map { .linkedLibrary($0) }),
        // Asks whether the CPU's matrix tiles may be used.
        .target(name: "CAMX"),
        .target(name: "CDemo", cSettings: [.headerSearchPath("../../Demo")]),

        .target(name: "Files"),

        // The device.
        .target(name: "CLRuntime", dependencies: ["COpenCL", "CCrypto"]),
        .target(name: "Profiling", dependencies: ["CLRuntime", "Files"]),
        .target(
            name: "Kernels", dependencies: ["CLRuntime", "COpenCL", "CCLBlast", "CAMX", "Files"],
            resources: [.embedInCode("cl")]),

        // Models, images, sweeps, results.
        .target(name: "Formats"),
        .target(name: "ViT", dependencies: ["Formats", "Kernels", "CLRuntime", "CCrypto"]),
        .target(name: "Images", dependencies: ["Formats", "CImageIO"]),
        .target(name: "Patch", dependencies: ["ViT", "Formats", "Kernels", "CLRuntime"]),
        // The engine for other packages and the only public API. No dependency of it may use unsafeFlags.
        .target(
            name: "VitPatch", dependencies: ["Patch", "Images", "ViT", "Kernels", "CLRuntime"], path: "Sources/Library"),
        // The program of examples/swift, which is also a package of its own. VitPatchTests compile and run it here.
        .executableTarget(name: "Heads", dependencies: ["VitPatch"], path: "examples/swift/Sources/Heads"),
        .target(name: "Spec", dependencies: ["Patch", "Images", "ViT", "Formats", "Kernels", "Files", "Yams"]),
        .target(
            name: "Results",
            dependencies: [
                "CZlib", "Files", "Formats",
                .product(name: "GRDB", package: "GRDB.swift"), .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ]),
        // The bootstrap's loops are optimised in debug builds too: tests of the report would wait for them.
        .target(name: "Statistics", dependencies: ["Results"], swiftSettings: [.unsafeFlags(["-O"])]),
        .target(name: "Report", dependencies: ["Statistics", "Results", "Files"]),
        // Loops in Double over whole models are optimised in debug builds too: tests would wait for them.
        .target(name: "Reference", swiftSettings: [.unsafeFlags(["-O"])]),
        .target(name: "Verification", dependencies: ["Patch", "ViT", "Formats", "Kernels", "CLRuntime", "Reference"]),
        .executableTarget(
            name: "vitpatch",
            dependencies: [
                "Report", "Statistics", "Results", "Spec", "Patch", "Images", "ViT", "Formats", "Kernels", "CLRuntime",
                "Profiling",
                "Verification", "Reference", "Files", "CDemo",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),

        // Tests. Tiers: unit (no OpenCL), device (any OpenCL device, PoCL in CI).
        .target(name: "TestSupport", dependencies: ["Reference"], path: "Tests/TestSupport"),
        .target(name: "StoreTestSupport", dependencies: ["Results"], path: "Tests/StoreTestSupport"),
        .target(
            name: "FuzzReaders",
            dependencies: [
                "Formats", "ViT", "Images", "Spec", "Patch", "Kernels", "Results", "Statistics", "Report",
                .product(name: "GRDB", package: "GRDB.swift"),
            ], path: "Tests/FuzzReaders"),
        .testTarget(name: "FuzzTests", dependencies: ["FuzzReaders"]),
        .testTarget(name: "FilesTests", dependencies: ["Files"]),
        .testTarget(name: "CDemoTests", dependencies: ["CDemo"]),
        .testTarget(name: "CLRuntimeTests", dependencies: ["CLRuntime", "COpenCL"]),
        .testTarget(name: "ProfilingTests", dependencies: ["Profiling", "CLRuntime", "Files"]),
        // kernels/mma_layout.cl as C
        .target(name: "CMMALayout", path: "Tests/CMMALayout"),
        .testTarget(
            name: "KernelsTests",
            dependencies: ["Kernels", "CLRuntime", "Verification", "Reference", "CAMX", "CMMALayout"]),
        .testTarget(name: "VerificationTests", dependencies: ["Verification", "ViT", "Kernels", "CLRuntime"]),
        .testTarget(name: "FormatsTests", dependencies: ["Formats"]),
        .testTarget(name: "ViTTests", dependencies: ["ViT", "Formats", "TestSupport"]),
        .testTarget(name: "ImagesTests", dependencies: ["Images", "Formats", "TestSupport"]),
        .testTarget(name: "SpecTests", dependencies: ["Spec", "Patch", "Images", "ViT", "Files", "TestSupport"]),
        .testTarget(
            name: "PatchTests",
            dependencies: [
                "Patch", "ViT", "Formats", "Kernels", "CLRuntime", "Reference", "Verification", "TestSupport",
            ]),
        .testTarget(name: "VitPatchTests", dependencies: ["VitPatch", "Heads"]),
        .testTarget(
            name: "ResultsTests",
            dependencies: ["Results", "Files", "TestSupport", .product(name: "GRDB", package: "GRDB.swift")]),
        .testTarget(
            name: "StatisticsTests", dependencies: ["Statistics", "Results", "StoreTestSupport", "TestSupport"]),
        .testTarget(
            name: "ReportTests",
            dependencies: ["Report", "Statistics", "Results", "StoreTestSupport", "TestSupport"]),
        .testTarget(name: "ReferenceTests", dependencies: ["Reference", "TestSupport"]),
        .testTarget(name: "CLITests", dependencies: ["Kernels", "CLRuntime", "TestSupport"]),
    ],
    swiftLanguageModes: [.v6]
)

// scripts/fuzz.sh sets the variable; no other build links libFuzzer.
if Context.environment["VITPATCH_FUZZ"] != nil {
    package.targets.append(.executableTarget(name: "fuzz", dependencies: ["FuzzReaders"], path: "Tests/Fuzz"))
}
