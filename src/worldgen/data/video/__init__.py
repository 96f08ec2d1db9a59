"""Video and image files: bytes go in; clips, frames and their exact times come out, and back."""
