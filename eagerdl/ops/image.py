"""Images: resizing, warping, filtering, colours, patches; batches (n, h, w, c) by default.

Every function takes one image (h, w, c) or a batch of them (n, h, w, c), in the layout that `data_format` says:
channels last, or (n, c, h, w) for "channels_first". All are differentiable, warps by their coordinates too.
"""

from eagerdl.ops.colours import hsv_to_rgb, rgb_to_grayscale, rgb_to_hsv
from eagerdl.ops.filtering import gaussian_blur, sobel_edges, ssim
from eagerdl.ops.patches import crop_images, extract_patches, extract_patches_3d, pad_images
from eagerdl.ops.resizing import resize, scale_and_translate
from eagerdl.ops.warping import affine_transform, elastic_transform, map_coordinates, perspective_transform

__all__ = [
    "affine_transform", "crop_images", "elastic_transform", "extract_patches", "extract_patches_3d", "gaussian_blur",
    "hsv_to_rgb", "map_coordinates", "pad_images", "perspective_transform", "resize", "rgb_to_grayscale", "rgb_to_hsv",
    "scale_and_translate", "sobel_edges", "ssim",
]  # fmt: skip
