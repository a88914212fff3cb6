// The files of Demo/ as read-only bytes in the program. Paths are relative to Demo/, which Package.swift puts on
// this target's header search path; .incbin looks there too.
//
// The build system does not know that these files are read here: after a change in Demo/, touch this file.

// embed NAME, PATH: the symbols vitpatch_demo_NAME and vitpatch_demo_NAME_end around the bytes of PATH.
.macro embed name, path
    .balign 64
    .globl vitpatch_demo_\name
    .hidden vitpatch_demo_\name
    .type vitpatch_demo_\name, %object
vitpatch_demo_\name:
    .incbin "\path"
    .globl vitpatch_demo_\name\()_end
    .hidden vitpatch_demo_\name\()_end
vitpatch_demo_\name\()_end:
    .size vitpatch_demo_\name, . - vitpatch_demo_\name
.endm

.section .rodata, "a", %progbits
embed colour_config, colour/config.json
embed colour_preprocessor, colour/preprocessor_config.json
embed colour_weights, colour/model.safetensors
embed gray_config, gray/config.json
embed gray_preprocessor, gray/preprocessor_config.json
embed gray_weights, gray/model.safetensors
embed images, images.safetensors

.section .note.GNU-stack, "", %progbits
